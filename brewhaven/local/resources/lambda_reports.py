"""What Lambda itself writes into a function's log: what a start took, and what each invocation took and is billed for.

The emulator writes it as text for every function, does not tell a start apart, and leaves it out of the log's tail that
`invoke` answers. Here a cold start is a process that is started: from its first line until the handler is loaded.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from brewhaven.local.registry import correction, replace

Record = dict[str, Any]


@dataclass
class Took:
    """How long one invocation took, in milliseconds; `init` is None unless the process was started for it."""

    duration: float
    init: float | None = None

    @property
    def billed(self) -> int:
        """A start is billed like the work, since August 2025."""
        return math.ceil(self.duration + (self.init or 0))


@dataclass
class Invocation:
    """What is known of one invocation when it has ended."""

    request_id: str
    config: Record
    took: Took
    failed: bool
    peak_mb: int
    output: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The function's own output between what Lambda adds, in the function's log format."""
        as_json = (self.config.get("LoggingConfig") or {}).get("LogFormat") == "JSON"
        before, after = self._as_json() if as_json else self._as_text()
        return [*before, *self.output, *after]

    @property
    def _version(self) -> str:
        return str(self.config.get("Version", "$LATEST"))

    @property
    def _memory_mb(self) -> int:
        return int(self.config.get("MemorySize", 128))

    def _as_text(self) -> tuple[list[str], list[str]]:
        runtime = self.config.get("Runtime", "")
        report = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.took.duration:.2f} ms",
            f"Billed Duration: {self.took.billed} ms",
            f"Memory Size: {self._memory_mb} MB",
            f"Max Memory Used: {self.peak_mb} MB",
        ]
        start = [f"START RequestId: {self.request_id} Version: {self._version}"]
        if self.took.init is not None:
            report.append(f"Init Duration: {self.took.init:.2f} ms")
            start.insert(0, f"INIT_START Runtime Version: {runtime}")
        return start, [f"END RequestId: {self.request_id}", "\t".join(report)]

    def _as_json(self) -> tuple[list[str], list[str]]:
        metrics: Record = {
            "durationMs": round(self.took.duration, 3),
            "billedDurationMs": self.took.billed,
            "memorySizeMB": self._memory_mb,
            "maxMemoryUsedMB": self.peak_mb,
        }
        start = [_event("start", {"requestId": self.request_id, "version": self._version})]
        if self.took.init is not None:
            metrics["initDurationMs"] = round(self.took.init, 3)
            init = {
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": self.config.get("Runtime", ""),
                "functionName": self.config.get("FunctionName", ""),
                "functionVersion": self._version,
            }
            start.insert(0, _event("initStart", init))
        status = "error" if self.failed else "success"
        report = {"requestId": self.request_id, "metrics": metrics, "status": status}
        return start, [_event("report", report)]


def _event(kind: str, record: Record) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": now, "type": f"platform.{kind}", "record": record})


def _write(config: Record, lines: list[str]) -> None:
    from ministack.services import cloudwatch_logs

    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[{config.get('Version', '$LATEST')}]{uuid.uuid4().hex}"
    if group not in cloudwatch_logs._log_groups:
        cloudwatch_logs._create_log_group({"logGroupName": group})
    cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})


@correction
def reports_say_what_a_start_took() -> None:
    """The lines around a function's output are in its log format, and those of a cold start name its duration."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    here = threading.local()

    def spawn(original: Any) -> Any:
        def start(worker: Any) -> Any:
            began = time.monotonic()
            answer = original(worker)
            ready = time.monotonic()
            here.init, here.starting = (ready - worker.process_began) * 1000, (ready - began) * 1000
            return answer

        return start

    def invoke(original: Any) -> Any:
        def run(worker: Any, *arguments: Any, **options: Any) -> Any:
            here.init, here.starting, began = None, 0.0, time.monotonic()
            result = original(worker, *arguments, **options)
            here.took = Took((time.monotonic() - began) * 1000 - here.starting, here.init)
            return result

        return run

    def emit(original: Any) -> Any:
        def write(
            function: Record, request_id: str, text: str, error: bool, duration_ms: int, *, log_source: Any = None
        ) -> None:
            took, here.took = getattr(here, "took", None), None
            if took is None:  # it did not come as far as a process, or it runs elsewhere
                original(function, request_id, text, error, duration_ms, log_source=log_source)
                return
            config = function.get("config") or function
            peak = lambda_svc._probe_peak_memory_mb(function)
            here.lines = Invocation(request_id, config, took, error, peak, (text or "").splitlines()).lines()
            _write(config, here.lines)

        return write

    def dispatch(original: Any) -> Any:
        def run(*arguments: Any) -> Any:
            here.lines = None
            result = original(*arguments)
            if here.lines and isinstance(result, dict):
                result["log"] = "\n".join(here.lines)
            return result

        return run

    replace(lambda_runtime.Worker, "_spawn", spawn)
    replace(lambda_runtime.Worker, "invoke", invoke)
    replace(lambda_svc, "_emit_lambda_logs", emit)
    replace(lambda_svc, "_execute_function_dispatch", dispatch)
