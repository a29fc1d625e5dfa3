"""What the policy of a VPC endpoint admits, roughly: actions and resources; conditions count as met.

https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from brewhaven.diff.facts.statements import Permission, Target
from brewhaven.diff.values import as_list

_NAMED = re.compile(r"<[^>]*>")
_ARN = re.compile(r"arn:[^:]*:(?P<service>[^:]*):")


class EndpointPolicy:
    """The policy of one endpoint, as its statements are listed among the permissions of a side."""

    def __init__(self, statements: Iterable[Permission]) -> None:
        self._statements = list(statements)

    def refused(self, asks: Iterable[tuple[str, Target]]) -> list[tuple[str, Target]]:
        """What it does not admit of what is asked."""
        return [(action, target) for action, target in asks if not self._admits(action, target)]

    def _admits(self, action: str, target: Target) -> bool:
        fitting = [
            one for one in self._statements if _is_action(one.action, action) and _is_for(one.target, target, action)
        ]
        denied = any(one.effect == "Deny" and not one.condition for one in fitting)
        return not denied and any(one.effect == "Allow" for one in fitting)


def _is_action(pattern: str, action: str) -> bool:
    if pattern.startswith("everything but "):
        return not fnmatchcase(action, pattern.removeprefix("everything but "))
    return fnmatchcase(action, pattern) or fnmatchcase(pattern, action)


def _is_for(admitted: Target, wanted: Target, action: str) -> bool:
    """Whether a statement is about what is wanted; a role may name more than the policy."""
    if admitted.exact == "*" or wanted.exact == "*":
        return True
    if admitted.key is not None and wanted.key is not None:
        return admitted.key == wanted.key
    there, here = (_NAMED.sub("*", one.exact) for one in (admitted, wanted))
    if fnmatchcase(here, there) or fnmatchcase(there, here):
        return True
    service = _ARN.match(admitted.exact)
    # The template names what is wanted, the policy a pattern of ARNs: they are compared by the service alone.
    return bool(wanted.key and service and "*" in there and service["service"] == action.partition(":")[0])


def has_policy(properties: dict[str, object]) -> bool:
    """Whether an endpoint has a policy of its own; without one it lets everything through."""
    return bool(as_list(properties.get("PolicyDocument")))
