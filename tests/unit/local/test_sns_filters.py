"""What a filter policy admits, for who only looks at a template: the same as the local cloud's SNS delivers."""

from __future__ import annotations

from typing import Any

import pytest

from brewhaven.local.resources.sns_filters import admits

PAID = {
    "type": {"DataType": "String", "StringValue": "order.paid"},
    "cents": {"DataType": "Number", "StringValue": "450"},
    "digits": {"DataType": "String", "StringValue": "7"},
}
BODY = '{"order": {"cents": 450}}'


@pytest.mark.parametrize(
    ("policy", "scope", "admitted"),
    [
        ({}, "MessageAttributes", True),
        ({"type": ["order.paid", "order.placed"]}, "MessageAttributes", True),
        ({"type": [{"prefix": "stock."}]}, "MessageAttributes", False),
        ({"cents": [{"numeric": [">=", 450]}]}, "MessageAttributes", True),
        ({"cents": [{"numeric": [">", 450]}]}, "MessageAttributes", False),
        ({"cents": [{"prefix": "4"}]}, "MessageAttributes", False),  # a number is no text
        ({"digits": [{"numeric": ["=", 7]}]}, "MessageAttributes", False),  # and a text is no number
        ({"type": ["order.paid"], "cents": [{"numeric": ["<", 100]}]}, "MessageAttributes", False),
        ({"order": {"cents": [{"numeric": [">", 100]}]}}, "MessageBody", True),
        ({"cents": [{"numeric": [">", 100]}]}, "MessageBody", False),
    ],
)
def test_a_policy_admits_what_sns_would_deliver(policy: dict[str, Any], scope: str, admitted: bool) -> None:
    assert admits(policy, scope, PAID, BODY) is admitted
