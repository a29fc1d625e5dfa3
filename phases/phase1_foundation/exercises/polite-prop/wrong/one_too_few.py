"""A Fargate task whose size is checked while you write, not while it is deployed."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from constructs import Construct

MEMORY = {256: (512, 1024, 2048), 512: (1024, 2048, 3072, 4096), 1024: (2048, 3072, 4096)}
"""MiB of memory that go with each number of processor units."""


class ShopTask(Construct):
    """A task of the shop.

    :param cpu: 256, 512 or 1024 units; 1024 are one processor. By default 256.
    :param memory_mib: what :data:`MEMORY` allows for `cpu`. By default 512.
    :param port: where the shop listens, 1 to 65535. By default 8080.
    :raises ValueError: with every problem at once.
    """

    def __init__(self, scope: Construct, id_: str, *, cpu: int = 256, memory_mib: int = 512, port: int = 8080) -> None:
        super().__init__(scope, id_)
        problems = []
        if not cdk.Token.is_unresolved(cpu):
            if cpu not in MEMORY:
                problems.append(f"cpu must be 256, 512 or 1024, got {cpu}")
            elif not cdk.Token.is_unresolved(memory_mib) and memory_mib not in MEMORY[cpu]:
                valid = ", ".join(map(str, MEMORY[cpu]))
                problems.append(f"memory_mib must be one of {valid} with cpu {cpu}, got {memory_mib}")
        if not cdk.Token.is_unresolved(port) and port not in range(1, 65535):
            problems.append(f"port must be 1 to 65535, got {port}")
        if problems:
            raise ValueError("; ".join(problems))
        self.definition = ecs.FargateTaskDefinition(self, "Definition", cpu=cpu, memory_limit_mib=memory_mib)
        self.definition.add_container(
            "Shop",
            image=ecs.ContainerImage.from_registry("public.ecr.aws/docker/library/python:3.13-slim"),
            port_mappings=[ecs.PortMapping(container_port=port)],
        )


class Exercise(cdk.Stack):
    """One task of the usual size."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        ShopTask(self, "Task")
