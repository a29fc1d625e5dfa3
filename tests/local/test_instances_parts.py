"""Parts of the engines that need no cloud: security group rules, user data, unit files, counted requests, trust."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from brewhaven.local.engines import security_groups, systemd_units, user_data
from brewhaven.local.engines.authorization import trusts
from brewhaven.local.engines.in_flight import InFlight
from brewhaven.local.engines.security_groups import Peer, verdict
from brewhaven.local.engines.systemd_units import UnitError

TCP_8080 = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080}


@pytest.mark.parametrize(
    ("rule", "source", "admitted"),
    [
        ({**TCP_8080, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}, Peer("10.0.3.4"), True),
        ({**TCP_8080, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}, Peer("10.1.3.4"), False),
        ({**TCP_8080, "UserIdGroupPairs": [{"GroupId": "sg-a"}]}, Peer("10.0.3.4", ("sg-a",)), True),
        ({**TCP_8080, "UserIdGroupPairs": [{"GroupId": "sg-a"}]}, Peer("10.0.3.4", ("sg-b",)), False),
        ({**TCP_8080, "FromPort": 80, "ToPort": 90, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, Peer("10.0.0.9"), False),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, Peer("10.0.0.9"), True),
        ({**TCP_8080, "IpProtocol": "udp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, Peer("10.0.0.9"), False),
        ({**TCP_8080, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, Peer("10.0.0.9"), False),
    ],
)
def test_ingress_rules(monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any], source: Peer, admitted: bool) -> None:
    everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}

    def record(group: str) -> dict[str, Any]:
        return {"IpPermissionsEgress": [everywhere], "IpPermissions": [rule] if group == "sg-target" else []}

    monkeypatch.setattr(security_groups, "_record", record)
    decision = verdict(source, Peer("10.0.0.5", ("sg-target",)), 8080)
    assert decision.admitted is admitted
    assert admitted or "no ingress rule of security group sg-target" in decision.reason


def test_a_closed_egress_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_groups, "_record", lambda _group: {})
    assert "no egress rule of security group sg-a" in verdict(Peer("10.0.0.1", ("sg-a",)), Peer("10.0.0.2"), 80).reason


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("cat > /etc/shop.env", "cat > /disk/etc/shop.env"),
        ("mkdir -p $(dirname '/opt/shop/shop.zip')", "mkdir -p $(dirname '/disk/opt/shop/shop.zip')"),
        ("ExecStart=/opt/shop/venv/bin/python", "ExecStart=/disk/opt/shop/venv/bin/python"),
        ("aws s3 cp 's3://bucket/opt/x' .", "aws s3 cp 's3://bucket/opt/x' ."),
        ("echo hi > /dev/null", "echo hi > /dev/null"),
        ("curl https://example.org/etc/x", "curl https://example.org/etc/x"),
        ("SHOP_CONFIG_PARAMETER=/brew-haven/storefront/config", "SHOP_CONFIG_PARAMETER=/brew-haven/storefront/config"),
        ("useradd --shell /sbin/nologin shop", "useradd --shell /sbin/nologin shop"),
        ("cd /optimum", "cd /optimum"),
    ],
)
def test_user_data_sees_its_own_disk(line: str, seen: str) -> None:
    assert user_data.seen_from(Path("/disk"), line) == seen


def test_a_unit_reads_its_environment_file(tmp_path: Path) -> None:
    (tmp_path / "shop.env").write_text('# names\nONE=1\nTWO="two words"\n')
    unit_file = tmp_path / "shop.service"
    unit_file.write_text(
        f'[Unit]\nDescription=x\n[Service]\nEnvironment=A=b "C=d e"\nEnvironmentFile={tmp_path}/shop.env\n'
        "EnvironmentFile=-/not/there\nExecStart=/bin/python -m shop --name 'a b'\nRestart=always\nRestartSec=2s\n"
    )
    unit = systemd_units.read(unit_file, tmp_path)
    assert unit.command == ["/bin/python", "-m", "shop", "--name", "a b"]
    assert unit.environment == {"A": "b", "C": "d e", "ONE": "1", "TWO": "two words"}
    assert (unit.restart, unit.restart_seconds) == (True, 2.0)


def test_a_unit_without_its_environment_file_does_not_start(tmp_path: Path) -> None:
    unit_file = tmp_path / "shop.service"
    unit_file.write_text("[Service]\nEnvironmentFile=/not/there\nExecStart=/bin/true\n")
    with pytest.raises(UnitError, match="Failed to load environment files: /not/there"):
        systemd_units.read(unit_file, tmp_path)


def test_a_trust_policy_names_the_service() -> None:
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ecs-tasks.amazonaws.com"]}}
    assert trusts({"Statement": [allow]}, "ecs-tasks.amazonaws.com")
    assert not trusts({"Statement": [allow]}, "ec2.amazonaws.com")
    assert not trusts({"Statement": [allow, {**allow, "Effect": "Deny"}]}, "ecs-tasks.amazonaws.com")


def test_waiting_for_a_target_ends_with_its_last_request() -> None:
    counter, released = InFlight(), threading.Event()

    def hold() -> None:
        with counter.request("10.0.0.5"):
            released.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert not counter.wait_until_idle("10.0.0.5", 0.1)
    released.set()
    assert counter.wait_until_idle("10.0.0.5", 5)
    thread.join()
