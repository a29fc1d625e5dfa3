"""What SNS would send to people and devices is written to log groups, where it can be looked at.

The groups have the names of SNS's own delivery status logs, ``sns/<region>/<account>/...``, and their entries the form
of those; ``writtenDown`` is ours and holds the message.

https://docs.aws.amazon.com/sns/latest/dg/sns-topic-attributes.html
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

_STREAM = "local"


def group_of(name: str) -> str:
    """The log group of a topic or application."""
    from ministack.core.responses import get_account_id, get_region

    return f"sns/{get_region()}/{get_account_id()}/{name}"


def write_down(name: str, identity: str, destination: str, message: str, **more: Any) -> None:
    """Add an entry to the log group of a topic or application, and make the group if need be.

    Args:
        name: What follows account and region in the group's name.
        identity: Message id.
    """
    from ministack.services import cloudwatch_logs

    group = group_of(name)
    if group not in cloudwatch_logs._log_groups:
        cloudwatch_logs._create_log_group({"logGroupName": group})
    if _STREAM not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": _STREAM})
    now = time.time()
    entry = {
        "notification": {
            "messageId": identity,
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%S.000", time.gmtime(now)),
        },
        "delivery": {
            "deliveryId": str(uuid.uuid4()),
            "destination": destination,
            "providerResponse": "written down by the local cloud, sent nowhere",
            "statusCode": 200,
        },
        "status": "SUCCESS",
        "writtenDown": {"message": message, **{key: value for key, value in more.items() if value}},
    }
    event = {"timestamp": int(now * 1000), "message": json.dumps(entry)}
    cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": _STREAM, "logEvents": [event]})


def forget(name: str) -> None:
    """Remove the log groups of a topic or application that is gone."""
    from ministack.services import cloudwatch_logs

    for group in [g for g in cloudwatch_logs._log_groups if g == group_of(name) or g.startswith(group_of(name) + "/")]:
        cloudwatch_logs._delete_log_group({"logGroupName": group})
