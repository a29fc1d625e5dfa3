"""What a fault does to a cloud and what takes it back: API calls as plain data.

Plain data, so that the calls that take a fault back can be written to disk *before* anything is changed: whoever reads
them later needs nothing of the program that wrote them, which may have been killed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.errors import BrewHavenError

ClientOf = Callable[[str], Any]

# What a service says of a resource on which an earlier call is still at work: on AWS an event source is half a minute
# on its way to being disabled, and takes no other call meanwhile.
_STILL_CHANGING = ("ResourceInUseException", "ResourceConflictException", "InvalidDBParameterGroupState")
SETTLES_SECONDS = 180.0
_AGAIN_SECONDS = 2.0


@dataclass(frozen=True)
class Answer:
    """A value that an earlier call answers, as the argument of a later one; not for calls that go to disk.

    Attributes:
        call: The place of the earlier call, from 0.
        name: Where the value is in its answer: ``uploadId``, ``PolicyVersion.VersionId``.
    """

    call: int
    name: str


@dataclass(frozen=True)
class Call:
    """One API call.

    Attributes:
        service: As boto3 names it: ``s3``.
        operation: The client's method: ``put_bucket_policy``.
        unless: Error codes that say that there is nothing (left) to do, such as ``NoSuchEntity``.
    """

    service: str
    operation: str
    arguments: Mapping[str, Any]
    unless: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the record on disk."""
        return {
            "service": self.service,
            "operation": self.operation,
            "arguments": dict(self.arguments),
            "unless": list(self.unless),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Call:
        return cls(kept["service"], kept["operation"], kept["arguments"], tuple(kept["unless"]))


def call(service: str, operation: str, /, *, unless: Sequence[str] = (), **arguments: Any) -> Call:
    """A call with its arguments as boto3 takes them."""
    return Call(service, operation, arguments, tuple(unless))


@dataclass(frozen=True)
class Plan:
    """A fault that goes around CloudFormation: what was done by hand, and what takes it back.

    It is made by looking only. Every call of `undo` and `tidy` may be made at any time: before, amidst and after `do`,
    and twice.

    Attributes:
        do: Breaks it, in this order.
        undo: Puts everything back as it was.
        tidy: Removes what the fault itself made and nobody needs once it is mended: an image, a policy's version.
        makes: Names of what the fault makes itself.
        images: Tags of images among them, which `brewhaven destroy` removes if nobody else did.
        beside: Names of what it uses beside the course's stacks, such as the CDK's own repository of images.
    """

    do: Sequence[Call]
    undo: Sequence[Call]
    tidy: Sequence[Call] = ()
    makes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


class StrangerError(BrewHavenError):
    """A fault's plan touches something that the course did not deploy."""


def refuse_strangers(plan: Plan, deployed: Collection[str]) -> None:
    """See that every call of a plan names something that is deployed, or that the fault itself makes.

    Args:
        deployed: Physical ids of the stacks' resources.

    Raises:
        StrangerError: One does not; nothing was done.
    """
    known = {*deployed, *plan.makes, *plan.beside}
    for item in (*plan.do, *plan.undo, *plan.tidy):
        if not any(_is_of(text, name) for text in _texts(item.arguments) for name in known):
            raise StrangerError(
                f"The fault would call {item.service}:{item.operation} on something that the course did not deploy.",
                "Nothing was changed. Please report this.",
            )


def _is_of(text: str, name: str) -> bool:
    """Whether a text is a name, or is or has an ARN that ends with it."""
    return text == name or text.endswith((f"/{name}", f":{name}")) or name.endswith((f"/{text}", f":{text}"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)


def run(calls: Sequence[Call], client: ClientOf, before: Sequence[Mapping[str, Any]] = ()) -> list[Mapping[str, Any]]:
    """Make calls one after the other, and return what is answered. What is still changing is waited for.

    Args:
        before: Answers of calls that were made before, to which these may refer.

    Raises:
        ClientError: One was refused with a code that it does not expect.
    """
    answers: list[Mapping[str, Any]] = [*before]
    for item in calls:
        try:
            answers.append(_made(getattr(client(item.service), item.operation), _filled(item.arguments, answers)))
        except ClientError as error:
            if error.response["Error"]["Code"] not in item.unless:
                raise
            answers.append({})
    return answers


def _made(operation: Callable[..., Mapping[str, Any]], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    deadline = time.monotonic() + SETTLES_SECONDS
    while True:
        try:
            return operation(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _STILL_CHANGING or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)


def _filled(value: Any, answers: Sequence[Mapping[str, Any]]) -> Any:
    if isinstance(value, Answer):
        found: Any = answers[value.call]
        for name in value.name.split("."):
            found = found[name]
        return found
    if isinstance(value, Mapping):
        return {name: _filled(part, answers) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(part, answers) for part in value]
    return value
