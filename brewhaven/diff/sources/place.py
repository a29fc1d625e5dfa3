"""For which account and region a side is built, and which cloud deployed stacks are read from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from brewhaven import target
from brewhaven.diff.errors import DiffError
from brewhaven.local.settings import ACCOUNT_ID, DEFAULT_REGION, CloudSettings


@dataclass(frozen=True)
class Place:
    """An account and a region; `cloudformation` is a client there when deployed stacks are asked for."""

    account: str
    region: str
    cloudformation: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of_environment(cls) -> Place:
        """Where no cloud is asked: the course's example account, unless the environment names another."""
        account = os.environ.get("CDK_DEFAULT_ACCOUNT", ACCOUNT_ID)
        region = os.environ.get("CDK_DEFAULT_REGION") or os.environ.get("AWS_REGION") or DEFAULT_REGION
        return cls(account, region)

    @classmethod
    def of_target(cls, settings: CloudSettings) -> Place:
        """The cloud that `brewhaven use` chose.

        Raises:
            DiffError: It cannot be reached.
        """
        try:
            cloud = target.current(settings)
        except target.TargetError as error:
            raise DiffError(error.message, error.remedy) from None
        return cls(cloud.account, cloud.region, cloud.client("cloudformation"))
