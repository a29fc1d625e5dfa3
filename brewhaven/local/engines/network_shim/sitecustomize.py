"""Stands in for the network of a VPC inside processes of containers and instances (docs/decisions/0010).

Every task on AWS has an address of its own, so that any number of them may listen on port 8080. On one machine they
share the loopback interface. Python imports this module before the program, because its folder is on PYTHONPATH; it
translates what the program says into what this machine has, and the program stays unaware:

* listening on any address, port P -> listening on 127.0.0.1 with a free port, written to the file ``P`` of the task;
* connecting to a private address of the VPC -> asking the local cloud, which checks the security groups;
* connecting to the task's own loopback address, port P -> the port that the file names; if none, asking the local
  cloud whether a database of the VPC has that address here, and whether its security groups admit the task;
* asking for a name -> asking the local cloud's Cloud Map before the machine's resolver;
* connecting to PostgreSQL with psycopg, whose libpq opens its sockets itself -> asking the local cloud before.

Standard library only: it runs in the container's environment, not in the tool's.
"""

from __future__ import annotations

import errno
import importlib.abc
import importlib.util
import ipaddress
import json
import os
import socket
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

_TABLE = Path(os.environ.get("BREWHAVEN_NETWORK_TABLE", ""))
_LOOKUP = os.environ.get("BREWHAVEN_NETWORK_LOOKUP", "")
_OWN = os.environ.get("BREWHAVEN_NETWORK_ADDRESS")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104  (compared, not bound)
_PRIVATE = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_NAME_SECONDS = 5
# The APIs are no part of the VPC, and asking before each connection to them would cost time.
_APIS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_REFUSED = 409
_OPEN_PORTS = {urllib.parse.urlsplit(os.environ.get(name, "")).port for name in _APIS}
_names: dict[str, tuple[list[str] | None, float]] = {}

_bind = socket.socket.bind
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


def _ask(what: str, **query: Any) -> tuple[int, dict[str, Any]]:
    """Ask the local cloud one question; return status and answer."""
    url = urllib.parse.urlsplit(_LOOKUP)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.settimeout(5)
        _connect(line, (url.hostname or "", url.port or 0))
        path = f"{url.path}/{what}?{urllib.parse.urlencode(query)}"
        line.sendall(f"GET {path} HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n".encode())
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _file(port: int, *, loopback: bool) -> Path:
    return _TABLE / (f"loopback-{port}" if loopback else str(port))


def _read(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _is_tcp(sock: socket.socket, address: Any) -> bool:
    internet = sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple)
    return internet and sock.type == socket.SOCK_STREAM


def _inner(sock: socket.socket, port: int) -> tuple[str, int]:
    return ("127.0.0.1" if sock.family == socket.AF_INET else "::ffff:127.0.0.1"), port


def bind(self: socket.socket, address: Any) -> None:
    """Listen on a free loopback port, and write in the task's table which one."""
    if not _is_tcp(self, address) or not address[1]:
        _bind(self, address)
        return
    host, port = address[0], address[1]
    entry = _file(port, loopback=host not in _ANY and host != _OWN)
    if self.family == socket.AF_INET6:
        self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    taken = _read(entry)
    _bind(self, _inner(self, taken))
    if not taken:
        draft = entry.with_name(f"{entry.name}.{os.getpid()}")
        draft.write_text(str(self.getsockname()[1]))
        draft.replace(entry)


def _translated(sock: socket.socket, address: Any) -> Any:
    if not _is_tcp(sock, address):
        return address
    host, port = address[0], address[1]
    numeric = _address(host) or _address(str(socket.getaddrinfo(host, port, sock.family, sock.type)[0][4][0]))
    mapped = getattr(numeric, "ipv4_mapped", None) or numeric
    if mapped is None:
        return address
    if mapped.is_loopback or str(mapped) == _OWN:
        port_here = _read(_file(port, loopback=False)) or _read(_file(port, loopback=True))
        if port_here:
            return _inner(sock, port_here)
        if mapped.is_loopback and port not in _OPEN_PORTS:
            _enter(str(mapped), port)
        return address
    if mapped.version == 4 and any(mapped in network for network in _PRIVATE):
        return _inner(sock, _enter(str(mapped), port))
    return address


def _enter(ip: str, port: int) -> int:
    """The loopback port of an address of the VPC, or the port itself where the local cloud knows nothing of it."""
    status, answer = _ask("connect", ip=ip, port=port)
    if status == _REFUSED:
        raise OSError(getattr(errno, answer["errno"]), answer["reason"])
    return int(answer.get("port", port))


def connect(self: socket.socket, address: Any) -> None:
    """Connect to where the local cloud says that the address is."""
    _connect(self, _translated(self, address))


def connect_ex(self: socket.socket, address: Any) -> int:
    """Connect like :func:`connect` and return the error number."""
    try:
        return _connect_ex(self, _translated(self, address))
    except OSError as error:
        return error.errno or errno.EHOSTUNREACH


def getaddrinfo(  # noqa: PLR0917  (the standard library's own signature)
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> Any:
    """Look a name up in Cloud Map first, then where the machine looks."""
    name = host.decode() if isinstance(host, bytes) else host
    if not name or "." not in name or _address(name) is not None:
        return _getaddrinfo(host, port, family, type, proto, flags)
    known, until = _names.get(name, (None, 0.0))
    if until < time.monotonic():
        status, answer = _ask("resolve", name=name)
        known = answer["addresses"] if status == 200 else None
        _names[name] = (known, time.monotonic() + _NAME_SECONDS)
    if known is None:
        return _getaddrinfo(host, port, family, type, proto, flags)
    if not known:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [entry for address in known for entry in _getaddrinfo(address, port, family, type, proto, flags)]


class _PsycopgHook(importlib.abc.MetaPathFinder):
    """Waits for the program to import psycopg, and then lets its connections ask first."""

    def find_spec(self, name: str, path: Any, _target: Any = None) -> Any:
        if name != "psycopg":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                for kind in (module.Connection, module.AsyncConnection):
                    kind.connect = classmethod(_asking(module, kind.connect.__func__))

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _asking(psycopg: Any, connect: Any) -> Any:
    def connect_if_admitted(cls: Any, conninfo: str = "", **options: Any) -> Any:
        parameters = {"host": "", "port": "", **psycopg.conninfo.conninfo_to_dict(conninfo)}
        parameters.update({k: v for k, v in options.items() if k in ("host", "hostaddr", "port") and v is not None})
        host = str(parameters.get("hostaddr") or parameters["host"] or os.environ.get("PGHOST") or "")
        port = int(parameters["port"] or os.environ.get("PGPORT") or 5432)
        address = _address("127.0.0.1" if host == "localhost" else host)
        if address is not None and address.is_loopback:
            try:
                _enter(str(address), port)
            except OSError as error:
                reason = f'connection to server at "{host}", port {port} failed: {error.strerror}'
                raise psycopg.OperationalError(reason) from error
        return connect(cls, conninfo, **options)

    return connect_if_admitted


if _LOOKUP:
    # Classes of the standard library cannot be extended otherwise for code that never heard of it.
    socket.socket.bind = bind  # type: ignore[method-assign,assignment]
    socket.socket.connect = connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = getaddrinfo
    sys.meta_path.insert(0, _PsycopgHook())
