"""The network of functions: in the subnets and security groups of their configuration, or outside of every VPC.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from brewhaven.local.engines.link_local import LINK_LOCAL
from brewhaven.local.engines.network import NETWORK, Interface

_lock = threading.Lock()
_interfaces: dict[str, tuple[tuple[Any, ...], Interface]] = {}


def network_environment(config: dict[str, Any], folder: Path) -> dict[str, str]:
    """Variables of ``network_shim`` for a function's process.

    Args:
        config: The function's configuration.
        folder: Where the shim may note on which ports the process listens.
    """
    table = folder / "network"
    table.mkdir(exist_ok=True)
    interface = _interface_of(config)
    return {
        "BREWHAVEN_NETWORK_TABLE": str(table),
        "BREWHAVEN_NETWORK_LOOKUP": f"{LINK_LOCAL.url}/network/{interface.token}",
        "BREWHAVEN_NETWORK_ADDRESS": interface.ip,
    }


def _interface_of(config: dict[str, Any]) -> Interface:
    """One for a function and its configuration, as the processes of a function share a network interface on AWS."""
    arn = str(config["FunctionArn"])
    account, region = arn.split(":")[4], arn.split(":")[3]
    vpc = config.get("VpcConfig") or {}
    subnets, groups = list(vpc.get("SubnetIds") or []), tuple(vpc.get("SecurityGroupIds") or ())
    key = (tuple(subnets), groups)
    with _lock:
        known = _interfaces.get(arn)
        if known is not None and known[0] == key and NETWORK.speaker(known[1].token):
            return known[1]
        if known is not None:
            NETWORK.hush(known[1])
        interface = NETWORK.speak(account, region, subnets[0] if subnets else "", groups)
        _interfaces[arn] = (key, interface)
        return interface
