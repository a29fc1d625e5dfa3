"""Lambda functions as processes: an environment like AWS's, boto3 and nothing of the tool's, errors by their class.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brewhaven.local.engines.containers import SHIM
from brewhaven.local.engines.function_networks import FUNCTION_NETWORKS
from brewhaven.local.engines.native_layers import with_own_wheels
from brewhaven.local.engines.trust import ROOT_CERTIFICATE, with_local_authority
from brewhaven.local.registry import correction, replace

# What AWS sets for every function, what makes the SDKs find this cloud, and the worker script's own carriers.
_PLATFORM = frozenset(
    (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "NODE_PATH",
        "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED",
        "AWS_DISABLE_HOST_PREFIX_INJECTION", "_LAMBDA_FUNCTION_ARN", "_LAMBDA_TIMEOUT", "_LAMBDA_LAYERS_DIRS",
    )
)  # fmt: skip
# The Python runtime of AWS holds boto3 and what it needs, and nothing else.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included
_RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_LIBRARY = "_LAMBDA_RUNTIME_LIBRARY"
_SHIM = "_LAMBDA_NETWORK_SHIM"
_LAYERS = "_LAMBDA_LAYERS_DIRS"
_INIT_FAILED = re.compile(r"^Worker init failed: (Runtime\.\w+): (.*)$", re.DOTALL)

END_OF_LOG = "\x00the invocation's last line"
"""A worker writes it after the handler, so that whoever reads its log knows that nothing follows."""
_LOG_SECONDS = 5.0

_PYTHON_SCRIPT_CHANGES = (
    (
        "import sys, json, importlib, traceback, os, time\n",
        f"import sys, os\nsys.path.append(os.environ.pop({_LIBRARY!r}))\n"
        f"sys.path.insert(0, os.environ.pop({_SHIM!r}))\nimport sitecustomize\ndel sys.path[0]\n"
        "for _name in [n for n in os.environ if n.startswith('BREWHAVEN_')]: del os.environ[_name]\n"
        "import json, importlib, traceback, time\n"
        "def _init_error(error, module):\n"
        "    if isinstance(error, ImportError):\n"
        '        return f"Runtime.ImportModuleError: Unable to import module {module!r}: {error}"\n'
        '    kind = "HandlerNotFound" if isinstance(error, AttributeError) else "Unknown"\n'
        '    return f"Runtime.{kind}: {type(error).__name__}: {error}"\n',
    ),
    # What the process was started with wins over the function's own file of authorities.
    ("os.environ.update(env)", f"os.environ.update({{**env, **{{k: os.environ[k] for k in ({ROOT_CERTIFICATE!r},) "
     "if k in os.environ}})"),
    ('json.dumps({"status": "error", "error": str(e)})',
     'json.dumps({"status": "error", "error": _init_error(e, module_name)})'),
    ('"error": str(e), "trace": traceback.format_exc()',
     '"error": str(e), "trace": traceback.format_exc(), "type": type(e).__name__, '
     '"stack": traceback.format_tb(e.__traceback__)[1:]'),
    ("        _real_stdout.flush()\n\nrun()\n",
     f"        print({END_OF_LOG!r}, file=sys.__stderr__, flush=True)\n        _real_stdout.flush()\n\nrun()\n"),
)  # fmt: skip
_NODE_SCRIPT_CHANGES = (
    ('error: String(err.message || err), trace: err.stack || ""',
     'error: String(err.message || err), trace: err.stack || "", type: err.name || "Error"'),
    ("error: e.message, trace: e.stack", "error: e.message, trace: e.stack, type: e.name"),
    # The worker's own calls of a deprecated function would warn in the function's log.
    ("url.parse(endpoint)", "new url.URL(endpoint)"),
    ("input = url.parse(input);", "input = url.urlToHttpOptions(new url.URL(input));"),
    ("input = url.parse(input.toString());", "input = url.urlToHttpOptions(input);"),
)  # fmt: skip


def _changed(name: str, changes: tuple[tuple[str, str], ...]) -> Callable[[str], str]:
    def change(script: str) -> str:
        for before, after in changes:
            if before not in script:
                raise RuntimeError(
                    f"The pinned emulator's {name} no longer contains {before!r}: adapt lambda_workers.py to it."
                )
            script = script.replace(before, after)
        return script

    return change


def runtime_library() -> Path:
    """A folder with the Python runtime's packages alone, as links to the installed ones."""
    folder = Path(os.environ["TMPDIR"]) / "lambda-runtime"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"The Python package {name} is not installed; `make setup` installs it.")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        link = folder / source.name
        if not link.is_symlink():
            link.symlink_to(source)
    return folder


def _link_node_sdk(folder: Path) -> None:
    """Put the SDK above a Node function's code, where ``import`` finds it; NODE_PATH serves only ``require``.

    https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html#nodejs-best-practices
    """
    modules = Path(os.environ.get("NODE_PATH", ""))
    target = folder / "node_modules"
    target.mkdir(exist_ok=True)
    for scope in ("@aws-sdk", "@smithy"):
        if (modules / scope).is_dir() and not (target / scope).exists():
            (target / scope).symlink_to(modules / scope)


class _Processes:
    """Stands in for ``subprocess`` in the emulator's worker pool and starts workers in a clean environment."""

    def __init__(self, starting: threading.local) -> None:
        self._starting = starting

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, arguments: list[str], **options: Any) -> Any:  # noqa: N802 - the name that is replaced
        config = self._starting.config
        own = (config.get("Environment") or {}).get("Variables") or {}
        given: dict[str, str] = options.pop("env")
        temporary = Path(arguments[-1]).parent / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {name: value for name, value in given.items() if name in _PLATFORM or name in own}
        environment |= {
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "TZ": ":UTC",
            "TMPDIR": str(temporary),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": (config.get("LoggingConfig") or {}).get("LogGroup")
            or f"/aws/lambda/{config.get('FunctionName')}",
            "_HANDLER": config.get("Handler", ""),
        }
        environment = with_local_authority(environment)
        network, is_inside = temporary.parent / "network", bool((config.get("VpcConfig") or {}).get("SubnetIds"))
        if is_inside:
            environment |= FUNCTION_NETWORKS.join(self._starting.worker, network)
        if arguments[0] == sys.executable:
            if _LAYERS in environment:
                environment[_LAYERS] = with_own_wheels(environment[_LAYERS], temporary.parent / "layer_native")
            environment[_LIBRARY] = str(runtime_library())
            environment[_SHIM] = str(SHIM)
            if not is_inside:
                environment |= FUNCTION_NETWORKS.stay_outside(self._starting.worker, network)
            environment.pop("NODE_PATH", None)
            # -I: no PYTHONPATH, no user packages; -S: no site-packages of the tool.
            arguments = [sys.executable, "-I", "-S", *arguments[1:]]
        else:
            _link_node_sdk(Path(arguments[-1]).parent)
            arguments = [shutil.which(arguments[0]) or arguments[0], *arguments[1:]]
        self._starting.worker.process_began = time.monotonic()
        return subprocess.Popen(arguments, env=environment, **options)


@correction
def workers_see_what_aws_gives() -> None:
    """A function's process sees its own variables and the platform's; a package it forgot is missing here too."""
    from ministack.core import lambda_runtime

    starting = threading.local()

    def spawn(original: Any) -> Any:
        def start(worker: Any) -> Any:
            starting.config, starting.worker = worker.config, worker
            FUNCTION_NETWORKS.leave(worker)  # of an earlier process
            return original(worker)

        return start

    def end(original: Any) -> Any:
        def kill(workers: Any) -> None:
            ended = [worker for worker in workers if worker is not None]
            original(ended)
            for worker in ended:
                FUNCTION_NETWORKS.leave(worker)

        return kill

    replace(lambda_runtime, "subprocess", lambda _: _Processes(starting))
    replace(lambda_runtime.Worker, "_spawn", spawn)
    replace(lambda_runtime, "kill_workers", end)
    replace(lambda_runtime, "_PYTHON_WORKER_SCRIPT", _changed("Python worker", _PYTHON_SCRIPT_CHANGES))
    replace(lambda_runtime, "_NODEJS_WORKER_SCRIPT", _changed("Node.js worker", _NODE_SCRIPT_CHANGES))


def read_to_the_end(lines: queue.Queue[str], is_read: Callable[[], bool]) -> list[str]:
    """The lines up to the mark at the end of an invocation.

    Args:
        is_read: Whether somebody still reads from the process; one that died writes no mark.
    """
    found: list[str] = []
    until = time.monotonic() + _LOG_SECONDS
    while time.monotonic() < until:
        try:
            line, mark, _ = lines.get(timeout=0.05).partition(END_OF_LOG)
        except queue.Empty:
            if not is_read():
                break
            continue
        if line or not mark:
            found.append(line)
        if mark:
            break
    return found


@correction
def an_invocations_log_is_whole() -> None:
    """Every line of an invocation is in its log, and its metrics with it.

    The emulator stops listening 5 ms after a line, and on a busy machine finds the rest with the next invocation.
    """
    from ministack.core import lambda_runtime

    def drain(original: Any) -> Any:
        def read(worker: Any, **options: float) -> str:
            if not str(worker.config.get("Runtime", "")).startswith("python"):
                answer: str = original(worker, **options)
                return answer
            return "\n".join(read_to_the_end(worker._stderr_queue, worker._stderr_thread.is_alive))

        return read

    replace(lambda_runtime.Worker, "_drain_stderr_bounded", drain)


@correction
def errors_carry_their_class() -> None:
    """``errorType`` is the exception's class, by which Step Functions catches and retries; the emulator loses it.

    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    last = threading.local()

    def invoke(original: Any) -> Any:
        def run(worker: Any, *arguments: Any, **options: Any) -> Any:
            last.result = original(worker, *arguments, **options)
            return last.result

        return run

    def execute(original: Any) -> Any:
        def run(function: dict[str, Any], event: Any, request_id: str) -> Any:
            last.result = {}
            answer = original(function, event, request_id)
            body = answer.get("body")
            if not answer.get("error") or not isinstance(body, dict):
                return answer
            init = _INIT_FAILED.match(str(body.get("errorMessage", "")))
            if init:
                body.update(errorType=init[1], errorMessage=init[2])
            elif last.result.get("type"):
                body["errorType"] = last.result["type"]
                body["requestId"] = request_id
                if "stack" in last.result:
                    body["stackTrace"] = last.result["stack"]
            return answer

        return run

    replace(lambda_runtime.Worker, "invoke", invoke)
    replace(lambda_svc, "_execute_function_warm", execute)
