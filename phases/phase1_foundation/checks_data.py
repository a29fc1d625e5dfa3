"""Checks of lessons 1.1 to 1.4: the stack, the table, the bucket, the roles.

Longer than other files, because it is a list that is read beside the lessons from top to bottom.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import CheckList, Failure, expect, listed, statements
from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.template import Resource, Template
from brewhaven.local.settings import REPOSITORY
from phases.phase1_foundation.probes import upload

CHECKS = CheckList()

TABLE = "AWS::DynamoDB::GlobalTable"
BUCKET = "AWS::S3::Bucket"
ROLE = "AWS::IAM::Role"
CONSTRUCTS = "constructs/brew_constructs"
DEPLOY_AGAIN = "put it back as the lesson has it and deploy again"


@cache
def menu() -> dict[str, Any]:
    """The menu of the repository, from which the table is filled."""
    found: dict[str, Any] = json.loads((REPOSITORY / "storefront/menu/menu.json").read_text(encoding="utf-8"))
    return found


def only(resources: list[Resource], what: str) -> Resource:
    """The one resource that there must be."""
    expect(
        len(resources) == 1,
        f"there must be exactly one {what} in the template, and there are {len(resources)}",
        where="`cdk synth` and the stack in stacks/phase1_foundation.py",
        next_step="compare with the lesson: `brewhaven diff`",
    )
    return resources[0]


def catalog(template: Template) -> Resource:
    return only(template.resources(TABLE, of="CatalogTable"), "catalog table")


def table_name(cloud: Deployment) -> str:
    return cloud.outputs["CatalogTableName"]


def refused(call: Any, **arguments: Any) -> bool:
    """Whether AWS denies a call; another error is raised on."""
    try:
        call(**arguments)
    except ClientError as error:
        if "AccessDenied" in error.response["Error"]["Code"] or error.response["Error"]["Code"] == "403":
            return True
        raise
    return False


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


# 1.1 The menu in one table

in_sync = CHECKS.check(
    "stack-in-sync",
    lesson="1.1",
    objective="cloudformation-stacks",
    proves="What is deployed is what the template says, and can be deployed twice",
)


@in_sync.on_template
def _(template: Template) -> str:
    catalog(template)  # a stack without it can be deployed as often as one likes, and proves nothing
    names = {"TableName": TABLE, "BucketName": BUCKET, "RoleName": ROLE, "LogGroupName": "AWS::Logs::LogGroup"}
    fixed = [r.logical_id for name, type_ in names.items() for r in template.resources(type_) if name in r.properties]
    expect(
        not fixed,
        f"{', '.join(fixed)} has a name of its own choosing, so the stack cannot be deployed twice in one account",
        where="the construct that makes it",
        next_step="leave the name out: CloudFormation makes one from the stack's name",
    )
    return "no physical names"


@in_sync.on_cloud
def _(cloud: Deployment) -> str:
    logs = cloud.resources("AWS::Logs::LogGroup", of="CatalogTable")[0]
    answer = cloud.client("cloudformation").detect_stack_resource_drift(
        StackName=cloud.stacks[-1], LogicalResourceId=logs.logical_id
    )["StackResourceDrift"]
    changed = [f"{d['PropertyPath']} is {d['ActualValue']}" for d in answer.get("PropertyDifferences") or []]
    expect(
        answer["StackResourceDriftStatus"] == "IN_SYNC",
        f"the log group {logs.physical_id} was changed behind CloudFormation's back: {', '.join(changed) or 'deleted'}",
        where="CloudFormation console: the stack, Stack actions, Detect drift (lesson 1.1, step 10)",
        next_step="put the value back by hand: deploying an unchanged template does not",
    )
    return "no drift"


seeded = CHECKS.check(
    "menu-seeded", lesson="1.1", objective="dynamodb-crud", proves="A product of the menu is found by its whole key"
)


@seeded.on_template
def _(template: Template) -> str:
    schema = [part["AttributeName"] for part in catalog(template).properties["KeySchema"]]
    expect(
        schema == ["pk", "sk"],
        f"the table's key is {schema} and must be pk and sk: the shop asks with these two",
        where=f"{CONSTRUCTS}/catalog_table.py",
        next_step="put the key back; and before you deploy, read in the change set what a new key does to the data",
    )
    return "key: pk, sk"


@seeded.on_cloud
def _(cloud: Deployment) -> str:
    product = menu()["products"][0]
    item = (
        cloud.client("dynamodb")
        .get_item(TableName=table_name(cloud), Key=key(f"PRODUCT#{product['id']}", "PRODUCT"))
        .get("Item")
    )
    if item is None:
        raise Failure(
            f"the table has no item PRODUCT#{product['id']}, although the menu has this product",
            where="the log of the menu seeder, /aws/cloudformation/<stack>/CatalogTableMenuSeederLogs...",
            next_step="change anything in storefront/menu/menu.json and deploy: the seeder puts in what is missing",
        )
    return f"{item['name']['S']} by GetItem"


crud = CHECKS.check(
    "catalog-crud",
    lesson="1.1",
    objective="dynamodb-crud",
    proves="An item can be created once, changed by the one who read the newest version, and deleted",
)


@crud.on_cloud
def _(cloud: Deployment) -> str:
    client, table, mine = cloud.client("dynamodb"), table_name(cloud), key("PRODUCT#check-crud", "PRODUCT")
    item = {**mine, "version": {"N": "1"}}
    change = {
        "UpdateExpression": "SET version = version + :one",
        "ConditionExpression": "version = :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    try:
        client.delete_item(TableName=table, Key=mine)
        client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        client.update_item(TableName=table, Key=mine, **change)
        try:
            client.update_item(TableName=table, Key=mine, **change)
        except client.exceptions.ConditionalCheckFailedException:
            return "created, changed once, the second change refused, deleted"
        finally:
            client.delete_item(TableName=table, Key=mine)
    except ClientError as error:
        raise Failure(
            f"an item of one's own could not be created, changed and deleted: {error}",
            where="who you are (`aws sts get-caller-identity`) and the policies of that identity",
            next_step="allow the action that the message names, or remove what denies it",
        ) from error
    raise Failure(
        "two changes of the same version were both accepted, so one of them was lost",
        where="the ConditionExpression of the update (lesson 1.1, step 7)",
        next_step="update only under the condition that the version is the one that was read",
    )


recoverable = CHECKS.check(
    "catalog-recoverable",
    lesson="1.1",
    objective="dynamodb-crud",
    proves="Any second of the last days can be put back, should a program delete what it must not",
)


@recoverable.on_template
def _(template: Template) -> str:
    settings = catalog(template).properties["Replicas"][0].get("PointInTimeRecoverySpecification", {})
    expect(
        settings.get("PointInTimeRecoveryEnabled") is True,
        "point-in-time recovery of the table is off: what a mistake deletes is gone",
        where=f"point_in_time_recovery_specification in {CONSTRUCTS}/catalog_table.py",
        next_step=DEPLOY_AGAIN,
    )
    return f"{settings.get('RecoveryPeriodInDays', 35)} days"


@recoverable.on_cloud
def _(cloud: Deployment) -> str:
    answer = cloud.client("dynamodb").describe_continuous_backups(TableName=table_name(cloud))
    status = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    expect(
        status == "ENABLED",
        f"point-in-time recovery of the table is {status}: what a mistake deletes is gone",
        where="DynamoDB console: the table, Backups",
        next_step="turn it on there: a deployment without a change does not mend drift",
    )
    return status


# 1.2 Access patterns

by_category = CHECKS.check(
    "menu-by-category",
    lesson="1.2",
    objective="dynamodb-access-patterns",
    proves="The menu is one query of the index, in the order of the board",
)


def has_index(template: Template, name: str, keys: list[str]) -> str:
    indexes = {i["IndexName"]: i for i in catalog(template).properties.get("GlobalSecondaryIndexes", [])}
    found = [part["AttributeName"] for part in indexes.get(name, {}).get("KeySchema", [])]
    expect(
        found == keys,
        f"the table has no index {name} with the keys {' and '.join(keys)}, it has {', '.join(indexes) or 'none'}",
        where=f"add_index in {CONSTRUCTS}/catalog_table.py and stacks/phase1_foundation.py",
        next_step="add it; one index a deployment, so deploy lesson by lesson",
    )
    return f"{name}: {', '.join(found)}"


@by_category.on_template
def _(template: Template) -> str:
    return has_index(template, "ByCategory", ["gsi1pk", "gsi1sk"])


@by_category.on_cloud
def _(cloud: Deployment) -> str:
    pages = (
        cloud.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table_name(cloud),
            IndexName="ByCategory",
            KeyConditionExpression="gsi1pk = :menu",
            ExpressionAttributeValues={":menu": {"S": "MENU"}},
        )
    )
    items = [item for page in pages for item in page["Items"]]
    found = {item["pk"]["S"].removeprefix("PRODUCT#") for item in items}
    missing = [p["id"] for p in menu()["products"] if p["id"] not in found and _is_for_sale(cloud, p["id"])]
    expect(
        not missing,
        f"{', '.join(missing)} is in the table and not in the index, so no guest sees it",
        where="the item's attributes gsi1pk and gsi1sk: an item without them is not in the index (lesson 1.2, step 3)",
        next_step="give it gsi1pk = MENU and gsi1sk = <category>#<place>#<id>",
    )
    places = [item["gsi1sk"]["S"] for item in items]
    expect(places == sorted(places), "the index is not in order", where="the query", next_step="report this")
    return f"{len(items)} products by one query"


def _is_for_sale(cloud: Deployment, product: str) -> bool:
    """Whether the table has the product and nobody retired it; one that is not there is menu-seeded's business."""
    answer = cloud.client("dynamodb").get_item(TableName=table_name(cloud), Key=key(f"PRODUCT#{product}", "PRODUCT"))
    return "Item" in answer and not answer["Item"].get("retired", {}).get("BOOL")


no_scan = CHECKS.check(
    "nothing-scans",
    lesson="1.2",
    objective="dynamodb-access-patterns",
    proves="Nobody in the shop may scan the table: every question has a key",
)


@no_scan.on_template
def _(template: Template) -> str:
    policies = template.resources("AWS::IAM::Policy") + template.resources("AWS::IAM::ManagedPolicy")
    expect(
        policies,
        "nobody in the stack is allowed anything, so there is nobody of whom to say that they may not scan",
        where="CatalogTable in constructs/brew_constructs/catalog_table.py: its seeder has a policy",
        next_step="deploy the lesson's whole stack",
    )
    wide = {"dynamodb:Scan", "dynamodb:*", "*"}
    guilty = [
        policy.logical_id
        for policy in policies
        for statement in statements(policy.properties["PolicyDocument"])
        if statement["Effect"] == "Allow" and wide & set(listed(statement.get("Action", [])))
    ]
    expect(
        not guilty,
        f"{', '.join(guilty)} allows a scan, which reads and bills the whole table",
        where="the grant behind that policy: grant_read_data and grant_read_write_data allow Scan",
        next_step="grant the actions that are used, as CatalogTable.grant_shop_access does",
    )
    return f"{len(policies)} policies looked at"


capacity = CHECKS.check(
    "catalog-capacity",
    lesson="1.2",
    objective="dynamodb-capacity",
    proves="The table takes a busy minute without throttling: on demand, or scaled",
)


@capacity.on_template
def _(template: Template) -> str:
    properties = catalog(template).properties
    scaled = "WriteCapacityAutoScalingSettings" in properties.get("WriteProvisionedThroughputSettings", {})
    expect(
        properties.get("BillingMode") == "PAY_PER_REQUEST" or scaled,
        "the table has a fixed capacity: the first busy minute is throttled",
        where=f"_billing in {CONSTRUCTS}/catalog_table.py",
        next_step="use catalog_capacity=on-demand, or capacity that scales",
    )
    return "scaled" if scaled else "on demand"


@capacity.on_cloud
def _(cloud: Deployment) -> str:
    name = table_name(cloud)
    table = cloud.client("dynamodb").describe_table(TableName=name)["Table"]
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    scaled = (
        mode != "PAY_PER_REQUEST"
        and cloud.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="dynamodb", ResourceIds=[f"table/{name}"]
        )["ScalableTargets"]
    )
    expect(
        mode == "PAY_PER_REQUEST" or scaled,
        f"the table is provisioned with {table['ProvisionedThroughput']['WriteCapacityUnits']} write units that do not "
        "scale: more than that each second is throttled",
        where="DynamoDB console: the table, Additional settings, Read/write capacity",
        next_step=f"`aws dynamodb update-table --table-name {name} --billing-mode PAY_PER_REQUEST`",
    )
    return "scaled" if scaled else "on demand"


# 1.3 Assets

private = CHECKS.check(
    "assets-private",
    lesson="1.3",
    objective="s3-private-hosting",
    proves="A stranger gets no picture, and somebody with a signed address gets that one",
)


@private.on_template
def _(template: Template) -> str:
    settings = only(template.resources(BUCKET, of="AssetBucket"), "asset bucket").properties.get(
        "PublicAccessBlockConfiguration", {}
    )
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    off = [name for name in names if settings.get(name) is not True]
    expect(
        not off,
        f"the bucket could be opened to everybody: {', '.join(off)} is off",
        where=f"block_public_access in {CONSTRUCTS}/asset_bucket.py",
        next_step="use BlockPublicAccess.BLOCK_ALL",
    )
    return "all four switches on"


def a_picture(cloud: Deployment) -> str:
    """The key of some picture of the menu."""
    bucket = cloud.outputs["AssetBucketName"]
    listing = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="media/menu/", MaxKeys=1)
    return str(listing["Contents"][0]["Key"])


@private.on_cloud
def _(cloud: Deployment) -> str:
    where = {"Bucket": cloud.outputs["AssetBucketName"], "Key": a_picture(cloud)}
    signed = cloud.client("s3").generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    stranger, guest = ask(signed.partition("?")[0]), ask(signed)
    expect(
        stranger.status == 403,
        f"a stranger got {where['Key']} without a signature (HTTP {stranger.status}): the bucket is open",
        where="S3 console: the bucket, Permissions: Block Public Access and Bucket policy",
        next_step="turn Block Public Access on and remove the statement that allows everybody",
    )
    expect(
        guest.status == 200,
        f"a presigned address of {where['Key']} answers {guest.status}",
        where="the answer's body, which names the reason",
        next_step="see that your own identity may read the object, and that your clock is right",
    )
    return "403 without a signature, 200 with one"


pictures = CHECKS.check(
    "pictures-there", lesson="1.3", objective="s3-private-hosting", proves="Every product on the menu has its picture"
)


@pictures.on_cloud
def _(cloud: Deployment) -> str:
    pages = (
        cloud.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=cloud.outputs["AssetBucketName"], Prefix="media/menu/")
    )
    found = {entry["Key"].rpartition("/")[2] for page in pages for entry in page.get("Contents", [])}
    missing = sorted({p["picture"] for p in menu()["products"]} - found)
    expect(
        not missing,
        f"the bucket lacks {', '.join(missing[:5])}{' and more' if len(missing) > 5 else ''} under media/menu/",
        where="S3 console: the bucket, Show versions: a deleted object lies under its delete marker",
        next_step="delete the marker, or `aws s3 sync storefront/menu/pictures s3://<bucket>/media/menu/`",
    )
    return f"{len(found)} pictures"


uploads = CHECKS.check(
    "uploads-bounded",
    lesson="1.3",
    objective="s3-uploads",
    proves="A browser can upload straight to S3, and no more than was signed",
)


@uploads.on_template
def _(template: Template) -> str:
    bucket = only(template.resources(BUCKET, of="AssetBucket"), "asset bucket").properties
    rules = bucket.get("CorsConfiguration", {}).get("CorsRules", [])
    expect(
        any("POST" in rule["AllowedMethods"] for rule in rules),
        "the bucket's CORS rules do not let a page POST to it, so a browser refuses to send an upload",
        where=f"cors in {CONSTRUCTS}/asset_bucket.py",
        next_step="allow POST (and PUT) again",
    )
    return "POST allowed to pages"


@uploads.on_cloud
def _(cloud: Deployment) -> str:
    name = "media/uploads/check.webp"
    small, large = upload(cloud, name, 100, 5000)
    expect(
        small in (200, 204),
        f"a signed upload of 100 bytes to {name} answers {small}",
        where="the policies of the one who signed, and the bucket policy",
        next_step="allow s3:PutObject under media/uploads/",
    )
    expect(
        large == 400,
        f"an upload of 5,000 bytes with a form for 1,000 answers {large}: the bound does not hold",
        where="the conditions of the form (lesson 1.3, step 7)",
        next_step="sign a content-length-range",
    )
    return "100 bytes accepted, 5,000 refused"


# 1.4 Roles

sparse = CHECKS.check(
    "open-orders-sparse",
    lesson="1.4",
    objective="dynamodb-sparse-index",
    proves="An open order is on the board, and leaves it with its attribute",
)


@sparse.on_template
def _(template: Template) -> str:
    return has_index(template, "OpenOrders", ["gsi2pk", "gsi2sk"])


@sparse.on_cloud
def _(cloud: Deployment) -> str:
    client, table, mine = cloud.client("dynamodb"), table_name(cloud), key("ORDER#check-board", "ORDER")
    board = {
        "TableName": table,
        "IndexName": "OpenOrders",
        "KeyConditionExpression": "gsi2pk = :board",
        "ExpressionAttributeValues": {":board": {"S": "CHECK"}},
        "Select": "COUNT",
    }
    # A board of our own: the barista's must not show it.
    client.put_item(TableName=table, Item={**mine, "gsi2pk": {"S": "CHECK"}, "gsi2sk": {"S": "1"}})
    try:
        before = _settled(lambda: client.query(**board)["Count"], 1)
        client.put_item(TableName=table, Item=mine)
        after = _settled(lambda: client.query(**board)["Count"], 0)
    except ClientError as error:
        raise Failure(
            f"the board could not be asked: {error}",
            where="DynamoDB console: the table, Indexes",
            next_step="see that the index OpenOrders is active and that you may query it",
        ) from error
    finally:
        client.delete_item(TableName=table, Key=mine)
    expect(
        (before, after) == (1, 0),
        f"an order with gsi2pk is {before} times on the board, and without it {after} times",
        where="the index OpenOrders (lesson 1.4, step 2)",
        next_step="see that the index's key is gsi2pk and that collecting an order removes that attribute",
    )
    return "on the board with gsi2pk, gone without"


def _settled(count: Any, wanted: int) -> int:
    """An index follows its table within moments: ask a few times."""
    found = -1
    for _attempt in range(10):
        found = count()
        if found == wanted:
            break
    return int(found)


works = CHECKS.check(
    "barista-can-work",
    lesson="1.4",
    objective="iam-roles",
    proves="Whoever assumes the barista's role reads the menu and the board with keys that end within the hour",
)


@works.on_template
def _(template: Template) -> str:
    lasting = template.resources("AWS::IAM::User") + template.resources("AWS::IAM::AccessKey")
    expect(
        not lasting,
        f"{', '.join(r.logical_id for r in lasting)} is a user or a key that lasts for ever",
        where="the stack",
        next_step="make it a role: temporary keys cannot be forgotten in a repository",
    )
    roles = template.resources(ROLE, of="StaffRoles")
    long = [role.logical_id for role in roles if role.properties.get("MaxSessionDuration", 3600) > 3600]
    expect(
        len(roles) >= 3 and not long,
        f"there are {len(roles)} staff roles, and sessions of {', '.join(long) or 'none'} last longer than an hour",
        where=f"{CONSTRUCTS}/staff_roles.py",
        next_step=DEPLOY_AGAIN,
    )
    return f"{len(roles)} roles, no users"


@works.on_cloud
def _(cloud: Deployment) -> str:
    client, table = cloud.assume(cloud.outputs["BaristaRoleArn"]).client("dynamodb"), table_name(cloud)
    try:
        for index, name, value in (("ByCategory", "gsi1pk", "MENU"), ("OpenOrders", "gsi2pk", "OPEN")):
            client.query(
                TableName=table,
                IndexName=index,
                KeyConditionExpression=f"{name} = :value",
                ExpressionAttributeValues={":value": {"S": value}},
                Limit=1,
            )
    except ClientError as error:
        raise Failure(
            f"the barista cannot work: {error.response['Error']['Message']}",
            where="IAM console: Roles, the barista's role, Permissions",
            next_step="give the role back what the message names; StaffRoles has the statement",
        ) from error
    return "menu and board read as the barista"


limits = CHECKS.check(
    "barista-is-limited",
    lesson="1.4",
    objective="iam-least-privilege",
    proves="The barista can do nothing with the table that is not counter work",
)


@limits.on_template
def _(template: Template) -> str:
    policies = template.resources("AWS::IAM::Policy", of="StaffRoles")
    loose = [
        f"{policy.logical_id} ({statement.get('Sid', 'no Sid')})"
        for policy in policies
        for statement in statements(policy.properties["PolicyDocument"])
        if {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"} & set(listed(statement["Action"]))
        and "dynamodb:LeadingKeys" not in json.dumps(statement.get("Condition", {}))
    ]
    expect(
        policies and not loose,
        f"staff reads or writes every item, customers too: {', '.join(loose)} has no condition on the keys",
        where=f"{CONSTRUCTS}/staff_roles.py",
        next_step="add the condition on dynamodb:LeadingKeys",
    )
    return "every statement on items is bound to keys"


@limits.on_cloud
def _(cloud: Deployment) -> str:
    client, table = cloud.assume(cloud.outputs["BaristaRoleArn"]).client("dynamodb"), table_name(cloud)
    no_such = {"ConditionExpression": "attribute_exists(nothing)", "UpdateExpression": "SET checked = :yes"}
    attempts: dict[str, tuple[Any, dict[str, Any]]] = {
        "count the whole table": (client.scan, {"Limit": 1}),
        "read a customer": (client.get_item, {"Key": key("CUSTOMER#check", "PROFILE")}),
        "change a product": (
            client.update_item,
            {"Key": key("PRODUCT#check", "PRODUCT"), "ExpressionAttributeValues": {":yes": {"BOOL": True}}, **no_such},
        ),
    }
    allowed = []
    for what, (call, arguments) in attempts.items():
        try:
            if not refused(call, TableName=table, **arguments):
                allowed.append(what)
        except client.exceptions.ConditionalCheckFailedException:
            allowed.append(what)
    expect(
        not allowed,
        f"the barista may {' and '.join(allowed)}",
        where="IAM console: Roles, the barista's role: a policy that StaffRoles does not have",
        next_step="delete that policy: `aws iam list-role-policies --role-name <role>` shows it",
    )
    return f"{len(attempts)} attempts refused"
