"""Every policy statement of a side, taken apart into single permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from brewhaven.diff.facts import conditions
from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import Key, Resource
from brewhaven.diff.names import is_helper, join_words
from brewhaven.diff.values import as_list, canonical, references, text

_RESOURCE_POLICIES = {
    "AWS::S3::BucketPolicy": ("PolicyDocument", "Bucket"),
    "AWS::SQS::QueuePolicy": ("PolicyDocument", "Queues"),
    "AWS::SNS::TopicPolicy": ("PolicyDocument", "Topics"),
    "AWS::KMS::Key": ("KeyPolicy", None),
    "AWS::SecretsManager::ResourcePolicy": ("ResourcePolicy", "SecretId"),
    "AWS::ECR::Repository": ("RepositoryPolicyText", None),
    "AWS::EC2::VPCEndpoint": ("PolicyDocument", None),
    "AWS::OpenSearchService::Domain": ("AccessPolicies", None),
    "AWS::DynamoDB::Table": ("ResourcePolicy", None),
    "AWS::Events::EventBusPolicy": ("Statement", "EventBusName"),
    "AWS::Logs::ResourcePolicy": ("PolicyDocument", None),
}
IDENTITIES = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group")
_ARN = re.compile(r"^arn:[^:]*:(?P<service>[^:]*):[^:]*:[^:]*:(?P<rest>.+)$")
_LITERALS = {
    "s3": "the bucket {}",
    "ssm": "the {}",
    "logs": "the {}",
    "iam": "the {}",
    "dynamodb": "the {}",
    "secretsmanager": "the {}",
}


@dataclass(frozen=True)
class Target:
    """What a permission is for.

    Attributes:
        base: The same for a table and its indexes.
        words: `CatalogTable`, `the parameter /brew-haven/storefront/config`.
        part: What of it, in words: `its indexes`, `under media/`; empty for the thing itself.
        key: The resource, when the template has it.
        exact: As the policy writes it, with names for references.
        raw: The same with logical ids, which do not depend on what else the side has.
    """

    base: str
    words: str
    part: str
    key: Key | None
    exact: str
    raw: str


@dataclass(frozen=True)
class Permission:
    """One action on one thing for one principal, as one statement allows or denies it.

    Attributes:
        who: The subject in words; principals that read the same are one.
        principal: The role, user or group; None for a service or everybody.
        holder: The resource in whose policy the statement stands.
        limit: The condition in words.
        condition: The condition as written, with logical ids.
        scope: `identity`, `resource`, or `boundary` for the most that a boundary lets through.
    """

    effect: str
    who: str
    principal: Key | None
    action: str
    target: Target
    limit: str
    condition: str
    scope: str
    holder: Key
    helper: bool
    anyone: bool = False

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes two permissions the same one on both sides; who holds the policy does not matter."""
        subject = self.principal or self.who
        return self.effect, subject, self.action, self.target.raw, self.condition, self.scope


def permissions(side: Side) -> Iterator[Permission]:
    """Every permission of identity and resource policies, trust policies apart."""
    for resource in side.deployment:
        if resource.type in IDENTITIES:
            for policy in as_list(resource.properties.get("Policies")):
                yield from _identity(side, resource, policy.get("PolicyDocument"), [resource])
        elif resource.type == "AWS::IAM::Policy":
            yield from _identity(side, resource, resource.properties.get("PolicyDocument"), _attached(side, resource))
        elif resource.type == "AWS::IAM::ManagedPolicy":
            document = resource.properties.get("PolicyDocument")
            holders = [*_attached(side, resource), *_bearers_of_policy(side, resource)]
            yield from _identity(side, resource, document, holders)
            if not holders or _limits(side, resource):
                yield from _boundary(side, resource, document)
        elif resource.type in _RESOURCE_POLICIES:
            yield from _resource_policy(side, resource)
        elif resource.type == "AWS::Lambda::Permission":
            yield from _lambda_permission(side, resource)


def _attached(side: Side, policy: Resource) -> list[Resource]:
    return [
        found
        for name in ("Roles", "Users", "Groups")
        for found in side.targets(policy.stack, policy.properties.get(name))
        if found.type in IDENTITIES
    ]


def _bearers_of_policy(side: Side, policy: Resource) -> list[Resource]:
    return [
        identity
        for identity in side.deployment.of_type(*IDENTITIES)
        if policy in side.targets(identity.stack, identity.properties.get("ManagedPolicyArns"))
    ]


def _limits(side: Side, policy: Resource) -> bool:
    return any(
        policy in side.targets(identity.stack, identity.properties.get("PermissionsBoundary"))
        for identity in side.deployment.of_type(*IDENTITIES)
    )


def _identity(side: Side, holder: Resource, document: Any, identities: list[Resource]) -> Iterator[Permission]:
    for identity in identities:
        yield from _statements(
            side, holder, document, who=side.principal(identity), principal=identity.key, scope="identity",
            helper=(is_helper(identity) and not side.bearers(identity)) or _all_helpers(side, identity),
        )  # fmt: skip


def _all_helpers(side: Side, identity: Resource) -> bool:
    bearers = side.bearers(identity)
    return bool(bearers) and all(is_helper(bearer) for bearer in bearers)


def _boundary(side: Side, policy: Resource, document: Any) -> Iterator[Permission]:
    who = f"the boundary {side.names.bare(policy)}"
    yield from _statements(side, policy, document, who=who, principal=policy.key, scope="boundary", helper=False)


def _resource_policy(side: Side, holder: Resource) -> Iterator[Permission]:
    document_name, owner_name = _RESOURCE_POLICIES[holder.type]
    document = holder.properties.get(document_name)
    if isinstance(document, dict) and "PolicyDocument" in document:
        document = document["PolicyDocument"]
    owner = side.target(holder.stack, holder.properties.get(owner_name)) if owner_name else holder
    for statement in as_list((document or {}).get("Statement", document) if isinstance(document, dict) else document):
        for who, principal, anyone in principals(side, holder.stack, statement):
            helper = principal is not None and is_helper(principal)
            yield from _statements(
                side, holder, {"Statement": [statement]}, who=who, principal=principal.key if principal else None,
                scope="resource", helper=helper, owner=owner, anyone=anyone,
            )  # fmt: skip


def _lambda_permission(side: Side, holder: Resource) -> Iterator[Permission]:
    properties = holder.properties
    statement = {
        "Effect": "Allow",
        "Action": properties.get("Action", "lambda:InvokeFunction"),
        "Resource": properties.get("FunctionName"),
        "Principal": {"Service": properties.get("Principal")},
        "Condition": {"ArnLike": {"aws:SourceArn": properties["SourceArn"]}} if "SourceArn" in properties else None,
    }
    for who, principal, anyone in principals(side, holder.stack, statement):
        yield from _statements(
            side, holder, {"Statement": [statement]}, who=who, principal=principal.key if principal else None,
            scope="resource", helper=is_helper(holder), anyone=anyone,
        )  # fmt: skip


def _statements(
    side: Side,
    holder: Resource,
    document: Any,
    *,
    who: str,
    principal: Key | None,
    scope: str,
    helper: bool,
    owner: Resource | None = None,
    anyone: bool = False,
) -> Iterator[Permission]:
    for statement in as_list((document or {}).get("Statement")):
        condition = statement.get("Condition")
        limit = conditions.words(condition, lambda value: side.say(holder.stack, value))
        actions = [str(action) for action in as_list(statement.get("Action"))]
        actions += [f"everything but {action}" for action in as_list(statement.get("NotAction"))]
        if statement.get("Resource") is None and owner is not None:
            targets = [_whole(side, owner)]
        else:
            targets = [
                target_of(side, holder.stack, value)
                for value in as_list(statement.get("Resource", statement.get("NotResource", "*")))
            ]
        if owner is not None and owner.type == "AWS::KMS::Key":
            targets = [_whole(side, owner)]
        for action in actions:
            for target in targets:
                yield Permission(
                    effect=str(statement.get("Effect", "Allow")), who=who, principal=principal, action=action,
                    target=target, limit=limit, condition=text(condition) if condition else "",
                    scope=scope, holder=holder.key, helper=helper, anyone=anyone,
                )  # fmt: skip


def _whole(side: Side, owner: Resource) -> Target:
    name = side.name(owner)
    return Target(canonical(owner.key), name, "", owner.key, name, canonical(owner.key))


def principals(side: Side, stack: str, statement: dict[str, Any]) -> list[tuple[str, Resource | None, bool]]:
    """Who a statement is about: words, the identity if the template has it, and whether it is everybody."""
    value = statement.get("Principal", "*")
    denied = statement.get("Effect") == "Deny"
    if value == "*":
        return [("nobody" if denied else "anyone", None, not denied)]
    found: list[tuple[str, Resource | None, bool]] = []
    for kind, members in value.items():
        for member in as_list(members):
            identity = next((item for item in side.targets(stack, member) if item.type in IDENTITIES), None)
            said = side.say(stack, member)
            if identity:
                found.append((side.principal(identity), identity, False))
            elif said == "*":
                found.append(("nobody" if denied else "anyone", None, not denied))
            elif kind == "Service":
                found.append((service_words(said), None, False))
            elif kind == "AWS" and (said.endswith(":root") or re.fullmatch(r"\d{12}|<account>", said)):
                account = said.split(":")[4] if ":" in said else said
                found.append((f"whoever in account {account} has a policy that allows it", None, False))
            elif kind == "AWS":
                found.append((said.rpartition(":")[2], None, False))
            else:
                found.append((f"users of {said}", None, False))
    return found


def service_words(principal: str) -> str:
    """`ecs-tasks.amazonaws.com` as people call it."""
    name = principal.removesuffix(".amazonaws.com").removesuffix(".<suffix>")
    known = {
        "lambda": "AWS Lambda",
        "ecs-tasks": "ECS tasks",
        "ecs": "ECS",
        "ec2": "EC2 servers",
        "s3": "S3",
        "events": "EventBridge",
        "sns": "SNS",
        "apigateway": "API Gateway",
        "cloudfront": "CloudFront",
        "states": "Step Functions",
        "scheduler": "EventBridge Scheduler",
        "cognito-idp": "Cognito",
        "cloudwatch": "CloudWatch",
        "logs": "CloudWatch Logs",
        "delivery.logs": "log delivery",
        "elasticloadbalancing": "load balancers",
        "secretsmanager": "Secrets Manager",
    }
    return known.get(name, principal)


def target_of(side: Side, stack: str, value: Any) -> Target:
    """What one entry of `Resource` names."""
    exact = side.say(stack, value)
    if exact == "*":
        return Target("*", "anything", "", None, "*", "*")
    resource = side.target(stack, value)
    if resource is None:
        return _literal(exact)
    attribute = next((name for _, name in references(value)), None)
    return Target(
        canonical(resource.key),
        side.name(resource),
        _part(resource, exact, attribute),
        resource.key,
        exact,
        text(value),
    )


def _part(resource: Resource, exact: str, attribute: str | None) -> str:
    _, _, rest = exact.rpartition(">")
    if attribute and "Stream" in attribute:
        return "its change stream"
    if resource.type == "AWS::S3::Bucket":
        prefix = rest.removeprefix("/").removesuffix("*")
        return f"under {prefix}" if prefix else "its objects" if rest else ""
    if rest.startswith("/index/"):
        name = rest.removeprefix("/index/")
        return "its indexes" if name == "*" else f"its index {name}"
    if rest.startswith("/stream"):
        return "its change stream"
    if rest in {":*", "", "*"}:
        return ""
    return f"its {rest.strip('/:')}"


def _literal(exact: str) -> Target:
    found = _ARN.match(exact)
    if not found:
        return Target(exact, exact, "", None, exact, exact)
    service, rest = found["service"], found["rest"]
    part = ""
    if rest.startswith(("cdk-", "repository/cdk-")) and "assets-" in rest:
        what = "image repository" if service == "ecr" else "bucket"
        return Target(rest.partition("/")[0], f"the CDK's bootstrap {what}", "", None, exact, exact)
    if service == "s3":
        rest, _, key = rest.partition("/")
        part = "its objects" if key == "*" else f"under {key.removesuffix('*')}" if key else ""
    elif ":" in rest or "/" in rest:
        kind, mark, name = re.split(r"([:/])", rest, maxsplit=1)
        rest = f"{kind.replace('-', ' ')} {'/' if service == 'ssm' and mark == '/' else ''}{name}"
    words = _LITERALS.get(service, service + " {}").format(rest)
    return Target(f"{service}:{rest}", words, part, None, exact, exact)


def together(targets: list[Target]) -> str:
    """`CatalogTable and its indexes`; a bucket and its objects are one thing in a sentence."""
    first = targets[0]
    parts = list(dict.fromkeys(target.part for target in targets))
    prefixes = [part for part in parts if part.startswith("under ")]
    if prefixes:
        return f"{first.words} under {join_words(part.removeprefix('under ') for part in prefixes)}"
    named = [part for part in parts if part and part != "its objects"]
    if not named:
        return first.words
    if "" in parts:
        return f"{first.words} and {join_words(named)}"
    return join_words(part.replace("its ", "the ", 1) for part in named) + f" of {first.words}"
