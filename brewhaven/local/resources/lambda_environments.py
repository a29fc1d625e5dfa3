"""How many execution environments a function has, and how long one lives.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextvars import ContextVar
from typing import Any

from brewhaven.local.registry import REGISTRY, correction, replace

# On AWS events that nobody waits for meet up to a thousand environments of their function. Each is a process here, and
# a hundred that start at once take longer than the same events one after another.
AT_ONCE = 4
_is_asynchronous: ContextVar[bool] = ContextVar("is_asynchronous", default=False)
_places: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(AT_ONCE))


@correction
def an_error_ends_no_environment() -> None:
    """A function that raises an exception goes on in the same process; the emulator starts a new one.

    Only a process that ends, or takes too long, is replaced.
    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    from ministack.core import lambda_runtime

    ending = threading.local()

    def invoke(original: Any) -> Any:
        def run(worker: Any, *arguments: Any, **options: Any) -> Any:
            ending.processes = []
            try:
                result = original(worker, *arguments, **options)
            finally:
                processes, ending.processes = ending.processes, None
            for process in processes:
                if "type" in result and process.poll() is None:
                    worker._proc = process
                else:
                    lambda_runtime._signal(process)
                    lambda_runtime._collect(process, lambda_runtime.time.monotonic() + lambda_runtime._REAP_GRACE)
            return result

        return run

    def signal(original: Any) -> Any:
        def end(process: Any) -> None:
            if getattr(ending, "processes", None) is None:
                original(process)
            else:
                ending.processes.append(process)  # until it is known why

        return end

    def collect(original: Any) -> Any:
        def wait(process: Any, deadline: float) -> None:
            if getattr(ending, "processes", None) is None:
                original(process, deadline)

        return wait

    replace(lambda_runtime, "_signal", signal)
    replace(lambda_runtime, "_collect", collect)
    replace(lambda_runtime.Worker, "invoke", invoke)


class _Retired:
    """Processes whose function was changed while they worked: each ends with its invocation, or with its function."""

    def __init__(self) -> None:
        self._workers: list[tuple[str, Any]] = []  # with the key of the pool that each was in

    def take(self, wanted: tuple[str | None, ...]) -> list[Any]:
        """Take a function's processes out of its pool; return those that are idle, keep those that work."""
        from ministack.core import lambda_runtime

        with lambda_runtime._lock:
            found = [key for key in lambda_runtime._workers if self._is_meant(key, wanted)]
            workers = [(key, worker) for key in found for worker in lambda_runtime._workers.pop(key)]
            at_work = [(key, worker) for key, worker in workers if worker.in_use and not _is_ended(worker)]
            self._workers += at_work
            return [worker for key, worker in workers if (key, worker) not in at_work]

    def of(self, wanted: tuple[str | None, ...]) -> list[Any]:
        """Those of a function that still work."""
        return [worker for key, worker in list(self._workers) if self._is_meant(key, wanted)]

    def had(self, worker: Any) -> bool:
        """Whether a process whose invocation is over is one of them; it is forgotten then."""
        from ministack.core import lambda_runtime

        with lambda_runtime._lock:
            there = [one for one in self._workers if one[1] is worker]
            self._workers = [one for one in self._workers if one not in there]
        return bool(there)

    @staticmethod
    def _is_meant(key: str, wanted: tuple[str | None, ...]) -> bool:
        """Whether a pool is of this account, region, function and version; None is any."""
        return all(part is None or part == own for part, own in zip(wanted, key.split(":"), strict=True))


_RETIRED = _Retired()


class FunctionGoneError(RuntimeError):
    """An invocation waited for a process, and its function was deleted meanwhile."""


def _is_ended(worker: Any) -> bool:
    return getattr(worker, "is_ended", False)


def _is_gone(worker: Any) -> bool:
    from ministack.services import lambda_svc

    account, region = worker.config["FunctionArn"].split(":")[4], worker.config["FunctionArn"].split(":")[3]
    return _is_ended(worker) or (account, region, worker.func_name) not in lambda_svc._functions._data


@correction
def what_runs_runs_to_its_end() -> None:
    """An invocation goes on in its old environment when its function is changed; the emulator kills it half-way.

    A function that is deleted ends at once. A process that was just being started then does not outlive it, for with
    its network interface neither the function's subnets nor its security groups could be deleted.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    def change(original: Any) -> Any:
        def invalidate(
            name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
        ) -> None:
            wanted = (account, region, name, qualifier)
            if qualifier is None:  # the function is deleted
                original(name, account=account, region=region)
                lambda_runtime.kill_workers(_RETIRED.of(wanted))
            else:
                lambda_runtime.kill_workers(_RETIRED.take(wanted))

        return invalidate

    def release(original: Any) -> Any:
        def give_back(worker: Any) -> None:
            original(worker)
            if _RETIRED.had(worker):
                lambda_runtime.kill_workers([worker])

        return give_back

    def end(original: Any) -> Any:
        def kill(workers: Any) -> None:
            ending = [worker for worker in workers if worker is not None]
            for worker in ending:
                worker.is_ended = True
            original(ending)

        return kill

    def spawn(original: Any) -> Any:
        def start(worker: Any) -> None:
            failure: Exception | None = None
            try:
                if not _is_gone(worker):
                    original(worker)
            except Exception as error:  # without its subnet, for example, that has been deleted, too
                failure = error
            if _is_gone(worker):
                failure = FunctionGoneError(f"The function {worker.func_name} was deleted before its process was there")
            if failure is not None:
                raise failure

        return start

    def invoke(original: Any) -> Any:
        def run(worker: Any, *arguments: Any, **options: Any) -> Any:
            try:
                return original(worker, *arguments, **options)
            except Exception:
                lambda_runtime.kill_workers([worker])  # the emulator forgets it
                raise

        return run

    replace(lambda_runtime, "kill_workers", end)
    replace(lambda_runtime.Worker, "_spawn", spawn)
    replace(lambda_runtime.Worker, "invoke", invoke)
    replace(lambda_svc, "invalidate_worker", change)
    replace(lambda_svc, "release_worker", release)


@correction
def events_wait_for_a_place() -> None:
    """A function works on a few asynchronous events at once; the others wait in Lambda's own queue, as on AWS.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    """
    from ministack.services import lambda_svc

    def hand_over(original: Any) -> Any:
        def invoke(function: dict[str, Any], event: Any) -> None:
            token = _is_asynchronous.set(True)
            try:
                original(function, event)
            finally:
                _is_asynchronous.reset(token)

        return invoke

    def execute(original: Any) -> Any:
        def run(function: dict[str, Any], event: Any, *arguments: Any, **options: Any) -> Any:
            if not _is_asynchronous.get():
                return original(function, event, *arguments, **options)
            token = _is_asynchronous.set(False)  # what is called in turn waits for no second place
            try:
                with _places[(function.get("config") or function)["FunctionArn"]]:
                    return original(function, event, *arguments, **options)
            finally:
                _is_asynchronous.reset(token)

        return run

    replace(lambda_svc, "invoke_async_with_retry", hand_over)
    replace(lambda_svc, "_execute_function", execute)


REGISTRY.recorded["AWS::Lambda::Function"] = (
    f"really runs, as a process of this machine; of events that nobody waits for {AT_ONCE} at once, the others wait"
)
REGISTRY.on_reset.append(_places.clear)
