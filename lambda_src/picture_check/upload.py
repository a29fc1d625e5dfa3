"""The event by which S3 tells of a new object. Plain Python: no AWS.

    {"detail-type": "Object Created", "source": "aws.s3",
     "detail": {"bucket": {"name": "..."}, "object": {"key": "media/uploads/checked/1f0c.jpg", "size": 81234,
                "etag": "0c5d...", "sequencer": "..."}}}

EventBridge delivers it at least once, so the same event can come twice.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 120


class NotAnUploadError(ValueError):
    """The message tells of no new object, so no second try will help. Says what it is instead."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A new object: its key, its size in bytes, and the ETag, which changes with its content."""

    key: str
    size: int
    etag: str


def read_upload(body: str) -> Upload:
    """The upload that a message tells of.

    :raises NotAnUploadError: for anything but S3's event of a new object.
    """
    try:
        event = json.loads(body)
    except ValueError:
        raise NotAnUploadError(f"this message is not JSON: {body[:_SHOWN]!r}") from None
    detail = event.get("detail") if isinstance(event, Mapping) else None
    stored = detail.get("object") if isinstance(detail, Mapping) else None
    if not isinstance(stored, Mapping) or event.get("detail-type") != "Object Created":
        raise NotAnUploadError(f"this message is no event of a new object: {body[:_SHOWN]!r}")
    key, size, etag = (stored.get(name) for name in ("key", "size", "etag"))
    if not (isinstance(key, str) and key and isinstance(size, int) and isinstance(etag, str)):
        raise NotAnUploadError(f"the event names no object with key, size and etag: {_shown(stored)}")
    return Upload(key, size, etag)


def _shown(value: Mapping[str, Any]) -> str:
    return repr(dict(value))[:_SHOWN]
