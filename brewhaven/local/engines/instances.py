"""EC2 instances as processes: user data at the first boot, then the units that it enabled.

What an instance is here: a folder for its disk, a network interface, a metadata service with its role's credentials,
and the processes of its systemd units. What it is not: a machine of its own with a kernel, users and packages. Its
public address is a loopback address of its own (127.0.0.2 and so on), so that several may listen on one port.
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from brewhaven.local.engines import systemd_units, user_data
from brewhaven.local.engines.callers import CALLERS, Caller
from brewhaven.local.engines.containers import SHIM, end_group, shim_environment
from brewhaven.local.engines.instance_metadata import InstanceMetadata
from brewhaven.local.engines.link_local import LINK_LOCAL
from brewhaven.local.engines.network import NETWORK, Interface
from brewhaven.local.engines.reservations import RESERVATIONS
from brewhaven.local.engines.security_groups import Peer, verdict
from brewhaven.local.engines.systemd_units import RunningUnit, UnitError
from brewhaven.local.engines.tasks import WAYS_TO_THE_CLOUD
from brewhaven.local.engines.tcp_doors import TcpDoors
from brewhaven.local.settings import HOST

logger = logging.getLogger("brewhaven.local.ec2")

PERIOD_SECONDS = 0.3
Record = dict[str, Any]


def own_loopback_address(taken: set[str]) -> str:
    """A loopback address that no other instance has.

    Linux answers on all of 127.0.0.0/8. Where only 127.0.0.1 exists (macOS), instances share it, and only one of them
    can be reached on a given port.
    """
    for last in range(2, 255):
        address = f"127.0.0.{last}"
        if address in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
                probe.close()
            except OSError:
                return HOST
        with socket.socket() as busy:
            # Another local cloud of this machine may have it: a shop there listens on 8080.
            busy.settimeout(0.2)
            if busy.connect_ex((address, 8080)) != 0 and RESERVATIONS.hold(address, 8080):
                return address
    return HOST


class Instance:
    """One instance that is running."""

    def __init__(self, record: Record, account: str, region: str, folder: Path, doors: TcpDoors) -> None:
        self.record = record
        self.folder = folder
        self._booted = folder / "booted"
        self.token = secrets.token_urlsafe(24)
        self._doors = doors
        self._opened: set[tuple[str, int]] = set()
        self._units: dict[str, RunningUnit] = {}
        # What was ordered before this start is over; what was enabled is started again.
        self._orders_done = len(self._orders()) if self._booted.exists() else 0
        self._script: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        user_data.prepare(folder)
        shutil.rmtree(folder / "network", ignore_errors=True)
        self.interface = self._attach(account, region)
        self.console = folder / "console.log"
        self._region = region
        LINK_LOCAL.instances[self.token] = InstanceMetadata(record, account, region)
        self._thread = threading.Thread(target=self._run, daemon=True, name=record["InstanceId"])
        self._thread.start()

    def _attach(self, account: str, region: str) -> Interface:
        from ministack.core.responses import request_scope

        groups = [group["GroupId"] for group in self.record["SecurityGroups"]]
        with request_scope(account, region):
            interface = NETWORK.attach(
                self.record["SubnetId"],
                groups,
                "",
                self.folder / "network",
                self.record["PrivateIpAddress"],
                public=bool(self.record.get("PublicIpAddress")),
            )
        identity = self.record["InstanceId"]
        CALLERS.add(Caller(f"the instance {identity}", interface, self._say), session=identity)
        return interface

    def _platform(self) -> dict[str, str]:
        """What stands in for the machine's network: the way to this cloud, and to the instance's metadata."""
        return {
            **{name: os.environ[name] for name in WAYS_TO_THE_CLOUD if name in os.environ},
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{LINK_LOCAL.url}/instance/{self.token}",
            "AWS_DEFAULT_REGION": self._region,
            "PYTHONPATH": str(SHIM),
            **shim_environment(self.interface, LINK_LOCAL.url),
        }

    def _run(self) -> None:
        if self._booted.exists():
            for unit in self._enabled():
                self._start(unit)
            return
        self._script = user_data.start(self.folder, self.record["UserData"], self._platform(), self.console)
        if self._script is not None:
            code = user_data.finish(self._script, self.console)
            logger.info("%s: user data ended with exit code %d", self.record["InstanceId"], code)
        if not self._stopped.is_set():
            self._booted.touch()

    def _enabled(self) -> list[str]:
        enabled: dict[str, None] = {}
        for order, unit in self._orders():
            if order == "enable":
                enabled[unit] = None
            elif order == "disable":
                enabled.pop(unit, None)
        return list(enabled)

    def _orders(self) -> list[tuple[str, str]]:
        file = self.folder / "orders"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(order, unit) for order, unit in (line.split(" ", 1) for line in lines)]

    def look_after(self) -> None:
        """Carry out new orders of systemctl, and let the doors follow what listens and what is admitted."""
        orders = self._orders()
        for order, unit in orders[self._orders_done :]:
            if order == "start" and unit not in self._units:
                self._start(unit)
            elif order == "stop" and unit in self._units:
                self._units.pop(unit).stop()
        self._orders_done = len(orders)
        self._follow_doors()

    def _start(self, name: str) -> None:
        root = self.folder / "root"
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(root / "root"), **self._platform()}
        environment["TMPDIR"] = str(root / "tmp")
        try:
            unit = systemd_units.read(root / "etc/systemd/system" / f"{name}.service", root)
        except UnitError as error:
            self._say(str(error))
            return
        journal = root / "var/log" / f"{name}.log"
        self._units[name] = RunningUnit(unit, environment, journal)
        self._say(f"systemd: started {name}.service; it writes to {journal}")

    def _say(self, text: str) -> None:
        with self.console.open("a") as console:
            console.write(text + "\n")

    def _follow_doors(self) -> None:
        public, wanted = self.record.get("PublicIpAddress"), set()
        table = self.interface.table
        listening = [int(file.name) for file in table.iterdir() if file.name.isdecimal()] if table else []
        for port in listening if public else []:
            peer = Peer(self.interface.ip, tuple(group["GroupId"] for group in self.record["SecurityGroups"]))
            if verdict(Peer(HOST), peer, port).admitted:
                wanted.add((str(public), port))
        for host, port in wanted - self._opened:
            try:
                self._doors.open(host, port, functools.partial(NETWORK.port_of, self.interface.ip, port))
                logger.info("%s is reached at http://%s:%d", self.record["InstanceId"], host, port)
            except OSError as error:
                self._say(f"network: {host}:{port} of this machine is taken: {error.strerror}")
        for host, port in self._opened - wanted:
            self._doors.close(host, port)
        self._opened = wanted

    def stop(self) -> None:
        """End its processes and close its doors; its disk stays."""
        self._stopped.set()
        if self._script is not None:
            end_group(self._script.pid, signal.SIGKILL)
        for unit in self._units.values():
            unit.stop()
        for host, port in self._opened:
            self._doors.close(host, port)
        NETWORK.detach(self.interface)
        LINK_LOCAL.instances.pop(self.token, None)


class Instances:
    """Lets the running processes follow the states of the instances' records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Instance] = {}
        self.rebooting: set[str] = set()
        self._doors = TcpDoors()
        self._closed = False

    def start(self) -> None:
        """Begin to follow; ends with the process."""
        self._doors.start()
        threading.Thread(target=self._run, daemon=True, name="instances").start()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._follow()
            except Exception:
                logger.exception("Following instances failed")
            time.sleep(PERIOD_SECONDS)

    def _follow(self) -> None:
        from ministack.services import ec2

        known = {key: (account, region, record) for (account, region, key), record in ec2._instances.all_items()}
        for identity, (account, region, record) in known.items():
            state = record["State"]["Name"]
            if state == "running" and identity not in self.running and record.get("UserData"):
                self.running[identity] = Instance(record, account, region, self.folder / identity, self._doors)
        for identity, instance in list(self.running.items()):
            state = known[identity][2]["State"]["Name"] if identity in known else "terminated"
            if state != "running" or identity in self.rebooting:
                del self.running[identity]
                self.rebooting.discard(identity)
                instance.stop()
            else:
                instance.look_after()
            if state == "terminated":
                shutil.rmtree(self.folder / identity, ignore_errors=True)

    def close(self) -> None:
        """Stop every instance; their disks stay for the next start."""
        self._closed = True
        for instance in list(self.running.values()):
            instance.stop()

    def console(self, identity: str) -> str:
        """What an instance wrote to its console."""
        file = self.folder / identity / "console.log"
        return file.read_text(errors="replace") if file.exists() else ""
