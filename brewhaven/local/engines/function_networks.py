"""The network of functions: an interface for each process, in one of the function's subnets or outside of every VPC.

On AWS functions of the same subnet and groups share an interface; what a function sees is the same: a private address,
security groups, and no public address wherever it is.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

from __future__ import annotations

import random
import secrets
import threading
from pathlib import Path
from typing import Any

from brewhaven.local.engines.callers import CALLERS, Caller
from brewhaven.local.engines.containers import shim_environment
from brewhaven.local.engines.link_local import LINK_LOCAL
from brewhaven.local.engines.network import NETWORK, Interface


class FunctionNetworks:
    """Interfaces of the emulator's workers; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interfaces: dict[int, tuple[Interface, str]] = {}

    def stay_outside(self, worker: Any, table: Path) -> dict[str, str]:
        """Variables for a process without a VpcConfig: it reaches the internet, and no private address of any VPC.

        Args:
            table: Folder for the ports on which the process listens.
        """
        account, region = worker.config["FunctionArn"].split(":")[4], worker.config["FunctionArn"].split(":")[3]
        table.mkdir(parents=True, exist_ok=True)
        interface = NETWORK.outside(account, region, table)
        with self._lock:
            self._interfaces[id(worker)] = (interface, "")
        return shim_environment(interface, LINK_LOCAL.url)

    def join(self, worker: Any, table: Path) -> dict[str, str]:
        """Give a worker's process an interface; return its variables: the network's, and keys of its own.

        Args:
            table: Folder for the ports on which the process listens.

        Raises:
            UnreachableError: The subnet does not exist, or has no free address.
        """
        from ministack.core.responses import request_scope

        config = worker.config
        account, region = config["FunctionArn"].split(":")[4], config["FunctionArn"].split(":")[3]
        network = config["VpcConfig"]
        with request_scope(account, region):
            interface = NETWORK.attach(
                random.choice(network["SubnetIds"]),  # noqa: S311  (spreading over subnets is no secret)
                list(network.get("SecurityGroupIds") or []),
                f"AWS Lambda VPC ENI-{config['FunctionName']}-{secrets.token_hex(4)}",
                table,
            )
        keys = self._own_keys(config)

        def say(text: str) -> None:
            worker._stderr_queue.put(text)  # another queue after each start

        caller = Caller(f"the function {config['FunctionName']}", interface, say)
        CALLERS.add(caller, key=keys["AWS_ACCESS_KEY_ID"])
        with self._lock:
            self._interfaces[id(worker)] = (interface, keys["AWS_ACCESS_KEY_ID"])
        return {**shim_environment(interface, LINK_LOCAL.url), **keys}

    def _own_keys(self, config: dict[str, Any]) -> dict[str, str]:
        """The function's session under keys of this process, so that its calls are told from those of the others."""
        from ministack.core.lambda_runtime import execution_credentials
        from ministack.services import sts

        shared = execution_credentials(config)
        keys = {
            "AWS_ACCESS_KEY_ID": f"ASIA{secrets.token_hex(8).upper()}",
            "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
            "AWS_SESSION_TOKEN": secrets.token_urlsafe(120),
        }
        session = dict(sts._sessions[shared["AWS_ACCESS_KEY_ID"]])
        session.update(SecretAccessKey=keys["AWS_SECRET_ACCESS_KEY"], SessionToken=keys["AWS_SESSION_TOKEN"])
        sts.register_session(keys["AWS_ACCESS_KEY_ID"], session)
        return keys

    def leave(self, worker: Any) -> None:
        """Take a worker's interface and keys back; one without is no error."""
        from ministack.services import sts

        with self._lock:
            interface, key = self._interfaces.pop(id(worker), (None, ""))
        if interface is not None:
            NETWORK.detach(interface)
            sts._sessions.pop(key, None)


FUNCTION_NETWORKS = FunctionNetworks()
