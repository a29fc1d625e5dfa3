"""Two local clouds of one machine never give away the same address."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from brewhaven.local.engines import balancer_doors
from brewhaven.local.engines.instances import own_loopback_address
from brewhaven.local.engines.reservations import RESERVATIONS, Reservations
from brewhaven.local.settings import HOST, REPOSITORY

HOLD = """
import sys
from brewhaven.local.engines.reservations import RESERVATIONS
print(RESERVATIONS.hold(sys.argv[1], int(sys.argv[2])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def another_process(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, HOST, str(port)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_one_process_holds_another_does_not_get_until_it_ends(free_port: int) -> None:
    other = another_process(free_port)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    mine = Reservations()
    assert not mine.hold(HOST, free_port)
    other.kill()
    other.wait()
    assert mine.hold(HOST, free_port)
    assert mine.hold(HOST, free_port), "what is held stays so"
    mine.release()


def test_a_load_balancers_port_and_an_instances_address_are_reserved_before_anything_listens() -> None:
    try:
        port, address = balancer_doors.choose_port(), own_loopback_address(set())
        other = Reservations()
        assert not other.hold(HOST, port)
        assert not other.hold(address, 8080)
        assert balancer_doors.choose_port() == port, "its own reservation does not stop the next of the same cloud"
    finally:
        RESERVATIONS.release()
