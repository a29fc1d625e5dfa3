"""SNS filter policies: numbers are compared as numbers only where they are numbers, and mistakes are refused.

https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import functools
import json
from typing import Any

from brewhaven.local.emulator import Response, handler_error, wrap_handler
from brewhaven.local.registry import Created, Properties, correction, replace

Record = dict[str, Any]
_RULES = {"anything-but", "prefix", "suffix", "equals-ignore-case", "numeric", "exists", "cidr", "wildcard"}
_OPERATORS = {"=", "<", "<=", ">", ">="}


def refusal(text: str, scope: str) -> str | None:
    """What SNS says against a filter policy; None if it takes it."""
    try:
        policy = json.loads(text)
    except ValueError:
        return "Invalid parameter: FilterPolicy: failed to parse JSON."
    if not isinstance(policy, dict):
        return "Invalid parameter: FilterPolicy: Filter policy must be a JSON object"
    wrong = _wrong_in(policy, nested=scope == "MessageBody")
    return None if wrong is None else f"Invalid parameter: FilterPolicy: {wrong}"


def _wrong_in(policy: Record, *, nested: bool) -> str | None:
    for key, rules in policy.items():
        if isinstance(rules, dict) and nested:
            wrong = _wrong_in(rules, nested=True)
        elif not isinstance(rules, list):
            wrong = f'"{key}" must be an array' + ("" if nested else " or an object with the scope MessageBody")
        elif key == "$or" and all(isinstance(rule, dict) for rule in rules):
            found = [_wrong_in(rule, nested=nested) for rule in rules if not _RULES.intersection(rule)]
            wrong = next((one for one in found if one), None)
        else:
            wrong = next((one for rule in rules if (one := _wrong_rule(rule))), None)
        if wrong is not None:
            return wrong
    return None


def _wrong_rule(rule: Any) -> str | None:
    if not isinstance(rule, dict):
        return None
    if len(rule) != 1 or not _RULES.issuperset(rule):
        return f"Unrecognized match type {next(iter(rule), '')}"
    numbers = rule.get("numeric")
    if numbers is None:
        return None
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False)) if isinstance(numbers, list) else []
    known = [op in _OPERATORS and isinstance(value, (int, float)) for op, value in pairs]
    return None if pairs and len(numbers) in (2, 4) and all(known) else "Invalid member in numeric match"


@correction
def numbers_are_numbers() -> None:
    """``numeric`` matches attributes of the type Number and numbers of a body, never strings with digits in them.

    https://docs.aws.amazon.com/sns/latest/dg/numeric-value-matching.html
    """
    from ministack.services import sns

    def candidates(original: Any) -> Any:
        def values(attribute: Record) -> list[Any]:
            kind = str(attribute.get("DataType") or "").strip()
            text = attribute.get("StringValue", "")
            if kind == "Number" or kind.startswith("Number."):
                return [float(text)]
            if kind == "String.Array":
                try:
                    parsed = json.loads(text)
                except ValueError:
                    return [text]
                return parsed if isinstance(parsed, list) else [text]
            found: list[Any] = original(attribute)
            return found

        return values

    def number(_original: Any) -> Any:
        def of(value: Any) -> float | None:
            return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

        return of

    replace(sns, "_attr_candidate_values", candidates)
    replace(sns, "_as_number", number)


@functools.cache
def _corrected() -> Any:
    """The emulator's SNS outside of the local cloud, where nobody else corrects it."""
    from ministack.services import sns

    numbers_are_numbers()
    return sns


def admits(policy: Record, scope: str, attributes: Record, body: str) -> bool:
    """Whether a subscription with this filter policy hears of a message; for who only looks at a template.

    Args:
        policy: What :func:`refusal` takes; an empty one admits everything.
        scope: `MessageAttributes` or `MessageBody`.
        attributes: Message attributes as Publish takes them.
    """
    subscription = {"attributes": {"FilterPolicy": json.dumps(policy) if policy else "", "FilterPolicyScope": scope}}
    found: bool = _corrected()._matches_filter_policy(subscription, attributes, body)
    return found


def _described(subscription: Record) -> Record:
    """What GetSubscriptionAttributes tells of every subscription; the emulator leaves it out of a template's."""
    return {
        "SubscriptionArn": subscription["arn"],
        "TopicArn": subscription["topic_arn"],
        "Protocol": subscription["protocol"],
        "Endpoint": subscription["endpoint"],
        "Owner": subscription["owner"],
        "PendingConfirmation": str(not subscription["confirmed"]).lower(),
        "RawMessageDelivery": "false",
    }


@correction
def filter_policies_are_checked() -> None:
    """Subscribe, SetSubscriptionAttributes and CloudFormation refuse a filter policy with a mistake, or no topic."""
    from ministack.services import sns

    def subscribe(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            given: Record = {}
            while name := sns._p(parameters, f"Attributes.entry.{len(given) + 1}.key"):
                given[name] = sns._p(parameters, f"Attributes.entry.{len(given) + 1}.value")
            policy = given.get("FilterPolicy")
            wrong = refusal(policy, given.get("FilterPolicyScope", "")) if policy else None
            if wrong is not None:
                return sns._error("InvalidParameter", wrong, 400)  # type: ignore[no-any-return]
            answer: Response = original(parameters)
            return answer

        return handle

    def change(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            subscription = sns._p(parameters, "SubscriptionArn")
            topic = sns._sub_arn_to_topic.get(subscription)
            found = sns._find_subscription(topic, subscription) if topic else None
            policy = sns._p(parameters, "AttributeValue")
            if found is not None and sns._p(parameters, "AttributeName") == "FilterPolicy" and policy:
                wrong = refusal(policy, found["attributes"].get("FilterPolicyScope", ""))
                if wrong is not None:
                    return sns._error("InvalidParameter", wrong, 400)  # type: ignore[no-any-return]
            answer: Response = original(parameters)
            return answer

        return handle

    def create(original: Any) -> Any:
        def handle(logical_id: str, properties: Properties, stack_name: str) -> Created:
            if properties.get("TopicArn") not in sns._topics:
                raise handler_error("Topic does not exist", "Sns", 404, "NotFound")
            policy = properties.get("FilterPolicy")
            text = json.dumps(policy) if isinstance(policy, dict) else policy
            wrong = refusal(text, properties.get("FilterPolicyScope", "")) if text else None
            if wrong is not None:
                raise handler_error(wrong, "Sns", 400, "InvalidRequest")
            made: Created = original(logical_id, properties, stack_name)
            found = sns._find_subscription(properties["TopicArn"], made[0])
            found["attributes"] = {**_described(found), **{k: v for k, v in found["attributes"].items() if v}}
            return made

        return handle

    replace(sns, "_subscribe", subscribe)
    replace(sns, "_set_subscription_attributes", change)
    wrap_handler("AWS::SNS::Subscription", "create", create)
