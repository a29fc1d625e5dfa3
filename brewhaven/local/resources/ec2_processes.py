"""EC2 instances that run: user data, metadata service, units, console output and an address of this machine."""

from __future__ import annotations

import base64
import shutil
from typing import Any

from brewhaven.local.emulator import wrap_action
from brewhaven.local.engines.common import CONTAINERS, close_with
from brewhaven.local.engines.instances import Instances, own_loopback_address
from brewhaven.local.engines.network import NETWORK
from brewhaven.local.registry import REGISTRY, correction
from brewhaven.local.resources.ec2_instances import ON_RUN, ON_TERMINATE

INSTANCES = Instances(CONTAINERS / "instances")


def _give_address(record: dict[str, Any]) -> None:
    from ministack.services import ec2

    if record.get("PublicIpAddress"):
        taken = {str(instance.get("PublicIpAddress")) for _key, instance in ec2._instances.all_items()}
        record["PublicIpAddress"] = record["PublicDnsName"] = own_loopback_address(taken)


def _take_interface(record: dict[str, Any]) -> None:
    """At once: a stack deletes the instance's security group next, and its processes may take a while to end."""
    instance = INSTANCES.running.get(record["InstanceId"])
    if instance is not None:
        NETWORK.detach(instance.interface)


@correction
def instances_reboot_and_have_a_console() -> None:
    """RebootInstances starts an instance's units again; GetConsoleOutput shows what its user data said.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
    """
    from ministack.services import ec2

    def reboot(original: Any) -> Any:
        def handle(parameters: dict[str, Any]) -> Any:
            answer = original(parameters)
            if answer[0] < 400:
                INSTANCES.rebooting.update(ec2._parse_member_list(parameters, "InstanceId"))
            return answer

        return handle

    def console(parameters: dict[str, Any]) -> Any:
        identity = ec2._p(parameters, "InstanceId")
        if identity not in ec2._instances:
            return ec2._error("InvalidInstanceID.NotFound", f"The instance ID '{identity}' does not exist", 400)
        output = base64.b64encode(INSTANCES.console(identity).encode()).decode()
        inner = f"<instanceId>{identity}</instanceId><timestamp>{ec2._now_ts()}</timestamp><output>{output}</output>"
        return ec2._xml(200, "GetConsoleOutputResponse", inner)

    wrap_action(ec2, "_ACTION_MAP", "RebootInstances", reboot)
    ec2._ACTION_MAP["GetConsoleOutput"] = console


def _reset() -> None:
    for instance in INSTANCES.running.values():
        instance.stop()
    INSTANCES.running.clear()
    shutil.rmtree(INSTANCES.folder, ignore_errors=True)


REGISTRY.recorded["AWS::EC2::Instance"] = (
    "user data and systemd units run as processes of this machine; instance type, image, volumes, users and Session "
    "Manager are recorded only"
)
ON_RUN.append(_give_address)
ON_TERMINATE.append(_take_interface)
REGISTRY.on_start.append(INSTANCES.start)
REGISTRY.on_reset.append(_reset)
close_with(INSTANCES.close)
