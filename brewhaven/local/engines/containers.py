"""Containers as processes: what the emulator's ECS scheduler takes for a Docker engine.

A container here is one process group in a folder of its own: a fresh copy of the image's files, the image's Python
environment, and no variable but the image's, the task definition's and the platform's. It has no kernel namespaces:
the process runs as the user who started the local cloud, sees the machine's file system, and its memory is not
limited. USER, cpu, memory, ulimits and read-only root file systems are recorded and not enforced.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brewhaven.local.engines.images import Images, UnpackedImage
from brewhaven.local.engines.network import Interface
from brewhaven.local.engines.trust import with_local_authority
from brewhaven.local.engines.watchdog import WATCHDOG

SHIM = Path(__file__).parent / "network_shim"
DEFAULT_STOP_SECONDS = 30
CLOSE_SECONDS = 5
KEPT_LINES = 5000
_SYSTEM_PATH = "/usr/bin:/bin"


@dataclass(frozen=True)
class Launch:
    """How to start one container.

    Attributes:
        name: Shown in the log.
        task_arn: The task that it belongs to.
        interface: Network interface of the task, shared by its containers.
        environment: Task definition's and platform's variables; they win over the image's.
        command: Replaces the image's CMD.
        entrypoint: Replaces the image's ENTRYPOINT.
        workdir: Replaces the image's WORKDIR.
        stop_seconds: Time between SIGTERM and SIGKILL.
    """

    name: str
    task_arn: str
    interface: Interface
    lookup_url: str
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    workdir: str = ""
    stop_seconds: int = DEFAULT_STOP_SECONDS


class Container:
    """One container; the attributes and methods are those of docker-py that the scheduler uses."""

    def __init__(self, identity: str, image: UnpackedImage, launch: Launch, folder: Path, on_removed: Any) -> None:
        self.id = identity
        self.launch = launch
        self.started = time.monotonic()
        self._image = image
        self._folder = folder
        self._on_removed = on_removed
        self._lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._written = 0
        self._news = threading.Condition()
        self._ended = False
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        rootfs = self._folder / "rootfs"
        for name in ("home", "tmp"):
            (self._folder / name).mkdir(parents=True)
        shutil.copytree(self._image.rootfs, rootfs)
        workdir = rootfs / (self.launch.workdir or self._image.config.get("WorkingDir") or "/").lstrip("/")
        workdir.mkdir(parents=True, exist_ok=True)
        self.environment = self._build_environment(rootfs)
        process = subprocess.Popen(
            self.argv(),
            cwd=workdir,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        WATCHDOG.guard(process.pid)
        self.workdir = workdir
        threading.Thread(target=self._read, args=(process,), daemon=True, name=f"container-{self.id[:8]}").start()
        return process

    def argv(self) -> list[str]:
        """What is executed: the entry point and the command, absolute paths of the image seen from this machine."""
        config = self._image.config
        entrypoint = self.launch.entrypoint or config.get("Entrypoint") or []
        # A replaced entry point takes the image's command away, as in Docker.
        command = self.launch.command or ([] if self.launch.entrypoint else config.get("Cmd") or [])
        words = [self._seen_from_here(word) for word in (*entrypoint, *command)]
        if not words:
            raise OSError("no command specified")
        return [self._executable(words[0]), *words[1:]]

    def command_for(self, command: list[str]) -> list[str]:
        """The words of another program run in the container, such as a health check."""
        words = [self._seen_from_here(word) for word in command]
        return [self._executable(words[0]), *words[1:]]

    def _executable(self, name: str) -> str:
        found = name if "/" in name else shutil.which(name, path=self.environment["PATH"])
        if found is None or not Path(found).exists():
            raise OSError(f'failed to create shim task: exec: "{name}": executable file not found in $PATH: unknown')
        return found

    def _seen_from_here(self, word: str) -> str:
        inside = self._folder / "rootfs" / word.lstrip("/")
        return str(inside) if word.startswith("/") and word != "/" and inside.exists() else word

    def _build_environment(self, rootfs: Path) -> dict[str, str]:
        image = dict(pair.partition("=")[::2] for pair in self._image.config.get("Env") or [])
        named = {**image, **self.launch.environment}
        variables = {
            name: ":".join(self._seen_from_here(part) for part in value.split(":")) if value.startswith("/") else value
            for name, value in named.items()
        }
        own_path = [part for part in variables.pop("PATH", "").split(":") if part.startswith(str(rootfs))]
        python_path = [str(SHIM), *filter(None, [variables.pop("PYTHONPATH", "")])]
        return {
            "HOME": str(self._folder / "home"),
            "TMPDIR": str(self._folder / "tmp"),
            "HOSTNAME": f"ip-{self.launch.interface.ip.replace('.', '-')}.ec2.internal",
            **with_local_authority(variables),
            "PATH": ":".join([*own_path, str(self._image.environment / "bin"), _SYSTEM_PATH]),
            "PYTHONPATH": ":".join(python_path),
            **shim_environment(self.launch.interface, self.launch.lookup_url),
        }

    def say(self, text: str) -> None:
        """Write a line to its log that its program did not write."""
        self._write(f"{text}\n".encode())

    def _write(self, line: bytes) -> None:
        with self._news:
            self._lines.append(line)
            self._written += 1
            self._news.notify_all()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._write(line)
        process.wait()
        end_group(process.pid, signal.SIGKILL)  # A container ends with its first process.
        WATCHDOG.release(process.pid)
        with self._news:
            self._ended = True
            self._news.notify_all()

    # What the scheduler asks of docker-py.
    @property
    def status(self) -> str:
        return "exited" if self._process.poll() is not None else "running"

    @property
    def attrs(self) -> dict[str, Any]:
        return {"NetworkSettings": {"Networks": {"vpc": {"IPAddress": self.launch.interface.ip}}}}

    @property
    def pid(self) -> int:
        """Process id of the first process on this machine."""
        return self._process.pid

    def reload(self) -> None:
        """Nothing is cached."""

    def wait(self) -> dict[str, int]:
        """Wait for the end; the exit code of a signal is 128 + its number, as in Docker."""
        code = self._process.wait()
        return {"StatusCode": 128 - code if code < 0 else code}

    def logs(self, *, stream: bool = False, follow: bool = False, tail: int | None = None, **_streams: bool) -> Any:
        """What it wrote so far, or all of it line by line as it comes."""
        if stream:
            return self._follow() if follow else iter(list(self._lines))
        lines = list(self._lines)
        return b"".join(lines[-tail:] if tail else lines)

    def _follow(self) -> Iterator[bytes]:
        seen = 0
        while True:
            with self._news:
                while self._written == seen and not self._ended:
                    self._news.wait()
                fresh = min(self._written - seen, len(self._lines))
                lines = list(self._lines)[len(self._lines) - fresh :]
                seen, ended = self._written, self._ended
            yield from lines
            if ended and seen == self._written:
                return

    def stop(self, timeout: float | None = None) -> None:
        """SIGTERM to the first process, SIGKILL to all after the task definition's stop timeout."""
        seconds = self.launch.stop_seconds if timeout is None else min(timeout, self.launch.stop_seconds)
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        end_group(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def remove(self, v: bool = False, force: bool = False) -> None:
        """Remove its folder; a running one is killed first."""
        if self.status == "running":
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._on_removed(self)


def end_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group; a group that is gone is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def shim_environment(interface: Interface, lookup_url: str) -> dict[str, str]:
    """Variables of :mod:`network_shim`."""
    return {
        "BREWHAVEN_NETWORK_TABLE": str(interface.table),
        "BREWHAVEN_NETWORK_LOOKUP": f"{lookup_url}/network/{interface.token}",
        "BREWHAVEN_NETWORK_ADDRESS": interface.ip,
    }


class Engine:
    """All containers of a local cloud, and its images; the two halves of docker-py's client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Images(folder)
        self.containers = _Containers(self)
        self.images = _Images(self.store)


class _Containers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._all: dict[str, Container] = {}
        self.closed = False

    def run(self, image: str, *, launch: Launch, **_docker_only: Any) -> Container:
        """Start a container; raises OSError if its program cannot be executed."""
        unpacked = self._engine.store.pull(image)
        if self.closed:
            raise OSError("the local cloud is stopping")
        identity = os.urandom(32).hex()
        folder = self._engine.folder / "tasks" / identity[:12]
        try:
            container = Container(identity, unpacked, launch, folder, self._removed)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            self._all[identity] = container
        return container

    def get(self, identity: str) -> Container:
        """A container by its id; raises KeyError for any other, the scheduler catches everything."""
        return self._all[identity]

    def of_task(self, task_arn: str) -> list[Container]:
        """The containers of a task."""
        return [c for c in list(self._all.values()) if c.launch.task_arn == task_arn]

    def list(self, **_filters: Any) -> list[Container]:
        """Every container."""
        return [*self._all.values()]

    def close(self) -> None:
        """Start nothing more and stop everything, all at the same time."""
        self.closed = True
        threads = [threading.Thread(target=container.stop, args=(CLOSE_SECONDS,)) for container in self.list()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _removed(self, container: Container) -> None:
        with self._lock:
            self._all.pop(container.id, None)


class _Images:
    def __init__(self, store: Images) -> None:
        self._store = store

    def get(self, name: str) -> UnpackedImage:
        return self._store.pull(name)

    def pull(self, name: str, **_options: Any) -> _Pulled:
        self._store.pull(name)
        return _Pulled()

    def get_registry_data(self, name: str, **_options: Any) -> _RegistryData:
        return _RegistryData(self._store.manifest_digest(name))


@dataclass(frozen=True)
class _RegistryData:
    id: str


class _Pulled:
    def tag(self, _repository: str, tag: str) -> bool:
        """Images are found by their names in ECR; there is no second list of names to keep."""
        return bool(tag)
