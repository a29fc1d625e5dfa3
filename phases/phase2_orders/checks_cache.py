"""Checks of lesson 2.4: the cache answers for the menu and for sessions, and may be lost at any time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.template import Template
from phases.phase1_foundation.probes import incoming, shop_url
from phases.phase2_orders.checks_database import inline_addresses
from phases.phase2_orders.probes import CONSTRUCTS, Guest, addresses_let_in, foundation, new_id, until_settled, wait_for

CHECKS = CheckList()

CACHE_CODE = f"{CONSTRUCTS}/shop_cache.py"
MENU_CODE = "storefront/shop/adapters/cached_catalog.py"
SESSION_CODE = "storefront/shop/adapters/valkey_sessions.py"
USER = "AWS::ElastiCache::User"
GROUP_TYPE = "AWS::ElastiCache::ReplicationGroup"
TRIES = 3

menu = CHECKS.check(
    "menu-cached",
    lesson="2.4",
    objective="elasticache-caching",
    proves="The menu is answered from a copy, and not from the table for every guest",
)


@menu.on_cloud
def _(cloud: Deployment) -> str:
    until_settled(cloud)
    url = f"{shop_url(foundation(cloud))}/api/menu"
    answers = 0
    for _ in range(TRIES):  # a copy that runs out in this very moment is made anew, with the product in it
        with _product(cloud) as product:
            shown = [entry["id"] for entry in ask(url, timeout=30).json()["products"]]
        answers += product not in shown
        if answers:
            break
    expect(
        answers,
        f"a product that was put into the table beneath was on {url} at once, so every guest reads the table",
        where=f"{MENU_CODE}, and CloudWatch: CacheHits of the shop's cache",
        next_step="see in the shop's parameter that menu_cache is valkey, and in the log whether the cache is reached",
    )
    return f"a copy of {len(shown)} products answered"


@contextmanager
def _product(cloud: Deployment) -> Iterator[str]:
    """A product in the table, for a moment, after somebody has asked for the menu.

    Its category is none that the shop has, so that no page shows it, should a copy be made in this moment.
    """
    name, dynamodb, table = new_id(), cloud.client("dynamodb"), foundation(cloud).outputs["CatalogTableName"]
    key = {"pk": {"S": f"PRODUCT#{name}"}, "sk": {"S": "PRODUCT"}}
    espresso = dynamodb.get_item(TableName=table, Key={"pk": {"S": "PRODUCT#espresso"}, "sk": {"S": "PRODUCT"}})["Item"]
    place = f"check#999#{name}"
    changed = {"id": {"S": name}, "name": {"S": name}, "category": {"S": "check"}, "gsi1sk": {"S": place}}

    def is_in_the_index() -> bool:
        return bool(
            dynamodb.query(
                TableName=table,
                IndexName="ByCategory",
                KeyConditionExpression="gsi1pk = :menu AND gsi1sk = :place",
                ExpressionAttributeValues={":menu": {"S": "MENU"}, ":place": {"S": place}},
            )["Count"]
        )

    ask(f"{shop_url(foundation(cloud))}/api/menu", timeout=30)
    try:
        dynamodb.put_item(TableName=table, Item={**espresso, **key, **changed})
        wait_for(is_in_the_index)
        yield name
    finally:
        dynamodb.delete_item(TableName=table, Key=key)


expire = CHECKS.check(
    "copies-expire",
    lesson="2.4",
    objective="elasticache-caching",
    proves="Every key of the cache has an end, so no copy is wrong for ever",
)


@expire.on_cloud
def _(cloud: Deployment) -> str:
    name = cloud.resources(GROUP_TYPE, of="ShopCache")[0].physical_id
    node = cloud.client("elasticache").describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0][
        "MemberClusters"
    ][0]
    all_keys, ending = (_newest(cloud, node, metric) for metric in ("CurrItems", "CurrVolatileItems"))
    both = sorted(set(all_keys) & set(ending))
    expect(
        both,
        f"CloudWatch has no number of keys of the cache node {node} yet",
        where="CloudWatch console: Metrics, ElastiCache, CurrItems and CurrVolatileItems",
        next_step="ElastiCache publishes once a minute: verify again in a minute or two",
    )
    endless = all_keys[both[-1]] - ending[both[-1]]
    expect(
        endless <= 0,
        f"{endless:.0f} of the {all_keys[both[-1]]:.0f} keys in the cache never expire: whatever they hold stays "
        "when it has long been wrong, and the memory fills",
        where=f"{MENU_CODE} and {SESSION_CODE}; CurrItems less CurrVolatileItems in CloudWatch",
        next_step="give every key an end when it is written (SET ... EX), and delete those that have none",
    )
    return f"{all_keys[both[-1]]:.0f} keys, all with an end"


def _newest(cloud: Deployment, node: str, metric: str) -> dict[datetime, float]:
    """A metric of the cache's node, minute by minute: both are taken from the node at the same moment."""
    now = datetime.now(UTC)
    points: list[dict[str, Any]] = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ElastiCache",
        MetricName=metric,
        Dimensions=[{"Name": "CacheClusterId", "Value": node}],
        StartTime=now - timedelta(minutes=15),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Average"],
    )["Datapoints"]
    return {point["Timestamp"]: point["Average"] for point in points}


survives = CHECKS.check(
    "session-survives",
    lesson="2.4",
    objective="elasticache-sessions",
    proves="A session is found without its copy in the cache, and answered from the copy once it is there",
)


@survives.on_cloud
def _(cloud: Deployment) -> str:
    until_settled(cloud)
    guest = Guest(cloud)
    dynamodb, table = cloud.client("dynamodb"), foundation(cloud).outputs["CatalogTableName"]
    line = {"product_id": {"S": "espresso"}, "size_id": {"S": "single"}, "quantity": {"N": "3"}, "note": {"S": ""}}
    session = {
        **guest.session_key,
        "type": {"S": "session"},
        "guest_id": {"S": guest.owner},
        "cart": {"L": [{"M": {**line, "extra_ids": {"L": []}}}]},
        "expires_at": {"N": str(int(time.time()) + 600)},
    }
    try:
        # Nobody has asked for this session yet, so the cache has no copy of it, as after it was emptied.
        dynamodb.put_item(TableName=table, Item=session)
        found = _cups(guest)
        expect(
            found == 3,
            f"a session that is in the table and not in the cache is not found: its cart has {found} cups and not 3",
            where=SESSION_CODE,
            next_step="ask the table when the cache has no copy, or everybody is signed out whenever it is emptied",
        )
        dynamodb.delete_item(TableName=table, Key=guest.session_key)
        kept = _cups(guest)
        expect(
            kept == 3,
            "a session is read from the table at every request, and not from the cache",
            where=f"{SESSION_CODE}, and CloudWatch: CacheHits of the shop's cache",
            next_step="see in the shop's parameter that sessions is valkey, and in the log whether the shop reaches it",
        )
    finally:
        with suppress(ClientError):
            dynamodb.delete_item(TableName=table, Key=guest.session_key)
    return "found without a copy, then answered from the copy alone"


def _cups(guest: Guest) -> int:
    """How many cups are in a guest's cart."""
    answer = guest.ask("GET", "/api/cart")
    return sum(line["quantity"] for line in answer.json()["lines"]) if answer.status == 200 else 0


guarded = CHECKS.check(
    "cache-guarded",
    lesson="2.4",
    objective="elasticache-sessions",
    proves="The cache speaks TLS alone, to named groups, with a user that can neither list nor empty it",
)


@guarded.on_template
def _(template: Template) -> str:
    cache = template.resources(GROUP_TYPE, of="ShopCache")[0]
    mode = cache.properties.get("TransitEncryptionMode")
    _encrypted(mode if cache.properties.get("TransitEncryptionEnabled") is True else None, cache.logical_id)
    expect(
        cache.properties.get("UserGroupIds") and cache.properties.get("AtRestEncryptionEnabled") is True,
        f"the cache {cache.logical_id} has no user group or is not encrypted at rest",
        where=CACHE_CODE,
        next_step="give it the user group, and at_rest_encryption_enabled",
    )
    subnets = template.resources("AWS::ElastiCache::SubnetGroup", of="ShopCache")[0].properties["SubnetIds"]
    expect(
        subnets and all("IsolatedSubnet" in str(subnet) for subnet in subnets),
        f"the cache {cache.logical_id} is not in isolated subnets alone",
        where=CACHE_CODE,
        next_step="put it where the database is",
    )
    _users({user.properties["UserName"]: user.properties["AccessString"] for user in template.resources(USER)})
    group = template.resources("AWS::EC2::SecurityGroup", of="ShopCache")[0]
    rules = [
        rule.properties
        for rule in template.resources("AWS::EC2::SecurityGroupIngress")
        if template.mentions(group.logical_id, rule.properties["GroupId"])
    ]
    _admits(
        inline_addresses(group) + [str(rule.get("CidrIp")) for rule in rules if "SourceSecurityGroupId" not in rule],
        len(rules),
    )
    return f"TLS required, {len(rules)} groups"


@guarded.on_cloud
def _(cloud: Deployment) -> str:
    client, name = cloud.client("elasticache"), cloud.resources(GROUP_TYPE, of="ShopCache")[0].physical_id
    group = client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
    _encrypted(group.get("TransitEncryptionMode") if group["TransitEncryptionEnabled"] else None, name)
    users = {
        user["UserName"]: user["AccessString"]
        for group_id in group["UserGroupIds"]
        for user_id in client.describe_user_groups(UserGroupId=group_id)["UserGroups"][0]["UserIds"]
        for user in client.describe_users(UserId=user_id)["Users"]
    }
    _users(users)
    node = client.describe_cache_clusters(CacheClusterId=group["MemberClusters"][0])["CacheClusters"][0]
    rules = [rule for found in node["SecurityGroups"] for rule in incoming(cloud, found["SecurityGroupId"])]
    _admits(addresses_let_in(rules), len(rules))
    return f"TLS required, {len(rules)} groups, users {' and '.join(sorted(users))}"


def _encrypted(mode: Any, name: str) -> None:
    expect(
        mode == "required",
        f"the cache {name} also takes connections in clear text (its mode is {mode})",
        where=f"transit_encryption_mode in {CACHE_CODE}",
        next_step="say `required`: the password and every session go over this wire",
    )


def _users(users: dict[str, str]) -> None:
    expect(
        not users.get("default", "on").startswith("on") and "shop" in users,
        "the user `default` of the cache is on: whoever reaches it need not say who he is",
        where=f"_users in {CACHE_CODE}, and ElastiCache console: User management",
        next_step="switch `default` off, and let the shop come as the user `shop`",
    )
    words = users["shop"].split()
    expect(
        "-@dangerous" in words and not {"~*", "allkeys", "+@all"} & set(words),
        f"the cache's user `shop` may more than the shop needs: {users['shop']}",
        where=f"_ALLOWED in {CACHE_CODE}, and ElastiCache console: User management",
        next_step="allow keys that begin with shop:, and no dangerous command",
    )


def _admits(ranges: list[str], groups: int) -> None:
    expect(
        groups and not ranges,
        f"the cache's security group lets in {', '.join(ranges) or 'nobody'}",
        where=f"`admit` in {CACHE_CODE}, and EC2 console: Security groups, the cache's",
        next_step="revoke that rule, and let in the shop's security groups",
    )
