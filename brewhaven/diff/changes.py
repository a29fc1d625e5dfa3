"""Compares resources property by property, and tells what CloudFormation would replace and what is lost with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from brewhaven.diff import schemas
from brewhaven.diff.model import Deployment, Key, PropertyChange, Replacement, Resource, ResourceChange
from brewhaven.diff.names import is_helper
from brewhaven.diff.values import canonical, is_function, references

HOLDS = {
    "AWS::DynamoDB::Table": "the items of the table",
    "AWS::DynamoDB::GlobalTable": "the items of the table",
    "AWS::S3::Bucket": "the objects in the bucket",
    "AWS::RDS::DBInstance": "the database",
    "AWS::RDS::DBCluster": "the database",
    "AWS::ElastiCache::ReplicationGroup": "what is cached",
    "AWS::ElastiCache::ServerlessCache": "what is cached",
    "AWS::ElastiCache::CacheCluster": "what is cached",
    "AWS::Kinesis::Stream": "the records in the stream",
    "AWS::SQS::Queue": "the messages in the queue",
    "AWS::Cognito::UserPool": "the users and their passwords",
    "AWS::Cognito::IdentityPool": "the identities",
    "AWS::SecretsManager::Secret": "the secret's value",
    "AWS::KMS::Key": "the key, and with it everything it encrypted",
    "AWS::Logs::LogGroup": "the log",
    "AWS::EFS::FileSystem": "the files",
    "AWS::OpenSearchService::Domain": "the search index",
    "AWS::OpenSearchServerless::Collection": "the search index",
    "AWS::ECR::Repository": "the images",
    "AWS::EC2::Volume": "the disk",
    "AWS::Events::Archive": "the archived events",
    "AWS::CloudTrail::Trail": "the trail's history",
}
"""What is lost with a resource of a type; the types that hold something."""

_FATES = {"Retain": "kept", "RetainExceptOnCreate": "kept", "Snapshot": "deleted after a snapshot"}
_NEW_TYPE = "the logical id had another type before, which CloudFormation refuses: the deploy fails"
_SNAPSHOT_BY_DEFAULT = {"AWS::RDS::DBInstance", "AWS::RDS::DBCluster"}
_IDENTITIES = (
    "IndexName",
    "Sid",
    "Name",
    "Id",
    "Key",
    "AttributeName",
    "Region",
    "PolicyName",
    "DeviceName",
    "RoleArn",
)


def compare_resources(aligned: Deployment, original: Deployment, after: Deployment) -> list[ResourceChange]:
    """Every resource that differs, in the order of the newer side, then what is gone.

    Args:
        aligned: The older side with the names of the newer one.
        original: The older side as it is.
    """
    old_keys = _old_keys(aligned, original)
    found: list[ResourceChange] = []
    for resource in after:
        before = aligned.get(resource.key)
        if before is None:
            found.append(_lone("added", None, resource))
        elif before.type != resource.type:
            gone, new = _lone("removed", original.get(old_keys[before.key]), None), _lone("added", None, resource)
            found += [gone, replace(new, because=(_NEW_TYPE,))]
        else:
            written = original.get(old_keys[before.key]) or before
            change = _changed(written, before, resource)
            if change:
                found.append(change)
    found += [
        _lone("removed", original.get(old_keys[before.key]), None)
        for before in aligned
        if after.get(before.key) is None
    ]
    return _follow_replacements(found, after)


def _old_keys(aligned: Deployment, original: Deployment) -> dict[Key, Key]:
    """The key that each aligned resource has in the side it comes from; both list them in the same order."""
    return {new.key: old.key for new, old in zip(aligned, original, strict=True)}


def _lone(kind: Any, before: Resource | None, after: Resource | None) -> ResourceChange:
    resource = after or before
    assert resource is not None
    holds = HOLDS.get(resource.type) if kind == "removed" else None
    fate = _fate(resource, "DeletionPolicy") if kind == "removed" else None
    return ResourceChange(
        kind=kind, before=before, after=after, holds=holds, fate=fate, helper=is_helper(resource)
    )  # fmt: skip


def _changed(written: Resource, before: Resource, after: Resource) -> ResourceChange | None:
    changes = _differences(before, after)
    known = {change.path for change in changes}
    changes += [
        replace(change, follows=True) for change in _differences(written, after) if not _within(change.path, known)
    ]
    renamed = written.logical_id != after.logical_id
    if not (changes or renamed):
        return None
    worst = _worst(change.replacement for change in changes)
    because = tuple(dict.fromkeys(_reason(after.type, one) for one in changes if one.replacement != "no"))
    if renamed:
        worst = "yes"
        because = ("its logical id changed, and CloudFormation knows a resource by that alone", *because)
    name = schemas.naming_property(after.type)
    if worst == "yes" and name and after.properties.get(name) == before.properties.get(name) is not None:
        because += (f"it has a fixed {name}, so the new one cannot be made while the old one exists: the deploy fails",)
    policy = "DeletionPolicy" if renamed else "UpdateReplacePolicy"
    return ResourceChange(
        kind="renamed" if renamed else "changed",
        before=written,
        after=after,
        properties=tuple(changes),
        replacement=worst,
        because=because,
        holds=HOLDS.get(after.type) if worst != "no" else None,
        fate=_fate(written, policy) if worst != "no" else None,
        helper=is_helper(after),
    )


def _differences(before: Resource, after: Resource) -> list[PropertyChange]:
    """What differs between two states of one resource, properties first."""
    found = list(compare_values("Properties", before.properties, after.properties, after.type))
    for name in sorted(set(before.attributes) | set(after.attributes)):
        found += compare_values(name, _plain(before, name), _plain(after, name), None)
    return found


def _within(path: str, known: set[str]) -> bool:
    """Whether a change at this place, above or below it is known already."""
    return any(path == one or path.startswith((one + ".", one + "[")) or one.startswith(path) for one in known)


def _plain(resource: Resource, name: str) -> Any:
    value = resource.attributes.get(name)
    if name == "DependsOn" and value is not None:
        return sorted(value) if isinstance(value, list) else [value]
    return value


def _reason(type_: str, change: PropertyChange) -> str:
    path = change.path.removeprefix("Properties.").partition("[")[0]
    note = schemas.note(type_, path)
    if change.replacement == "yes":
        return f"{path} cannot be changed in place"
    return f"{path} may not be changed in place" + (f" ({note})" if note else "")


def _worst(found: Iterable[Replacement]) -> Replacement:
    rank: list[Replacement] = ["no", "maybe", "yes"]
    return max(found, key=rank.index, default="no")


def _fate(resource: Resource, policy: str) -> str:
    value = resource.attributes.get(policy)
    if value is None and resource.type in _SNAPSHOT_BY_DEFAULT and "DBClusterIdentifier" not in resource.properties:
        return "deleted after a snapshot"
    return _FATES.get(str(value), "deleted")


def compare_values(path: str, before: Any, after: Any, type_: str | None) -> Iterable[PropertyChange]:
    """The smallest parts that differ: into objects, and into lists whose members can be told apart."""
    if canonical(before) == canonical(after):
        return
    if isinstance(before, dict) and isinstance(after, dict) and not is_function(before) and not is_function(after):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from compare_values(f"{path}.{name}", before.get(name), after.get(name), type_)
        return
    if isinstance(before, list | None) and isinstance(after, list | None):
        pairs = _pairs(before or [], after or [])
        if pairs is not None:
            for name, old, new in pairs:
                yield from compare_values(f"{path}[{name}]", old, new, type_)
            return
    replacement: Replacement = schemas.replaces(type_, path.removeprefix("Properties.")) if type_ else "no"
    yield PropertyChange(path, before, after, replacement)


def _pairs(before: list[Any], after: list[Any]) -> list[tuple[str, Any, Any]] | None:
    """Members that belong together: by a name of their own, else by place when nothing was inserted."""
    members = [*before, *after]
    if not all(isinstance(member, dict) and not is_function(member) for member in members):
        return _texts(before, after)
    for identity in _IDENTITIES:
        ours = {canonical(member.get(identity)): member for member in before if identity in member}
        theirs = {canonical(member.get(identity)): member for member in after if identity in member}
        if len(ours) == len(before) and len(theirs) == len(after):
            names = [*ours, *(name for name in theirs if name not in ours)]
            return [(name.strip('"'), ours.get(name), theirs.get(name)) for name in names]
    if len(before) == len(after):
        return [(str(place), old, new) for place, (old, new) in enumerate(zip(before, after, strict=True))]
    old_words, new_words = [canonical(member) for member in before], [canonical(member) for member in after]
    gone = [(f"{place}", member, None) for place, member in enumerate(before) if canonical(member) not in new_words]
    new = [(f"{place}", None, member) for place, member in enumerate(after) if canonical(member) not in old_words]
    return [*gone, *new] or None


def _texts(before: list[Any], after: list[Any]) -> list[tuple[str, Any, Any]] | None:
    """Members of a plain list that came or went; None when only their order changed."""
    old_words, new_words = [canonical(member) for member in before], [canonical(member) for member in after]
    gone = [(f"{place}", member, None) for place, member in enumerate(before) if canonical(member) not in new_words]
    new = [(f"{place}", None, member) for place, member in enumerate(after) if canonical(member) not in old_words]
    return [*gone, *new] if (gone or new) and len(before) != len(after) else None


def _follow_replacements(changes: list[ResourceChange], after: Deployment) -> list[ResourceChange]:
    """A resource that must be replaced takes along those that cannot change their reference to it."""
    by_key = {change.resource.key: place for place, change in enumerate(changes)}
    found = list(changes)
    replaced = [change.after for change in changes if change.replacement == "yes" and change.after]
    done: set[Key] = set()
    while replaced:
        origin = replaced.pop()
        if origin.key in done:
            continue
        done.add(origin.key)
        for resource in after:
            path = _fixed_reference(resource, origin)
            if path is None or resource.key == origin.key:
                continue
            place = by_key.get(resource.key)
            old = found[place] if place is not None else None
            if old is not None and (old.kind != "changed" or old.replacement == "yes"):
                continue
            new = _follower(old, resource, origin, path)
            if place is None:
                by_key[resource.key] = len(found)
                found.append(new)
            else:
                found[place] = new
            if new.replacement == "yes":
                replaced.append(resource)
    return found


def _fixed_reference(resource: Resource, origin: Resource) -> str | None:
    if resource.stack != origin.stack:
        return None
    for name, value in resource.properties.items():
        if any(logical_id == origin.logical_id for logical_id, _ in references(value)) and (
            schemas.replaces(resource.type, name) == "yes"
        ):
            return name
    return None


def _follower(old: ResourceChange | None, resource: Resource, origin: Resource, path: str) -> ResourceChange:
    base = old or ResourceChange(kind="changed", before=resource, after=resource, helper=is_helper(resource))
    return replace(
        base,
        replacement="yes",
        because=(*base.because, f"{path} names {origin.path}, which is replaced"),
        holds=HOLDS.get(resource.type),
        fate=_fate(resource, "UpdateReplacePolicy"),
    )
