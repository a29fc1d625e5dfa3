"""Faults of lessons 1.1 to 1.4 and 1.7: the table, the bucket, and who may do what."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import Explanation, FaultList, Plan, call
from brewhaven.course.template import Template
from phases.phase1_foundation.probes import fill_cart, shop_url, upload

FAULTS = FaultList()

INDEX_OF_OPEN_ORDERS = "OpenOrders"


# 1.3 Assets

no_new_pictures = FAULTS.fault(
    "no-new-pictures",
    lesson="1.3",
    check="uploads-bounded",
    symptom='The manager: *"The pictures on the menu are all there. But since yesterday I cannot send in a new one: '
    'the form goes off, and what comes back is **403**. Others here have tried it too. Nobody touched the page."*',
    hints=(
        "The page asks the shop for a signed form, and then the browser sends the picture past the shop. Which of the "
        "two is refused, and by whom? You can be both: sign a form with your own keys as in lesson 1.3 and send it "
        "with `curl`. The body of the 403 is XML, and it says more than the page does.",
        "You are an administrator, so every policy of yours allows it, and it is denied all the same. Then something "
        "denies it *explicitly*, and an explicit denial does not need to be yours: the thing that you write to can "
        "have a policy too.",
        "`aws s3api get-bucket-policy --bucket <AssetBucketName> --query Policy --output text`: compare its "
        "statements with those of `AssetBucket`. One is not in the code, and CloudFormation knows nothing of it. Put "
        "the policy back without it: `aws s3api put-bucket-policy`.",
    ),
    explanation=Explanation(
        cause="Somebody pasted a statement from an old blog into the bucket's policy: *deny every upload that does "
        "not ask for encryption in a header*. It once was good advice. Today S3 encrypts everything by itself, no "
        "form of the shop sends that header, and a `Deny` in a bucket policy beats everything that anybody is allowed.",
        found_by="The body of the 403 says `AccessDenied`, although `aws sts get-caller-identity` is an "
        "administrator. `aws s3api get-bucket-policy` shows the statement `EncryptedUploadsOnly`; `cdk diff` shows "
        "nothing, because the template never had it. On AWS, CloudTrail has the `PutBucketPolicy` with who did it and "
        "when.",
        prevention="Change a bucket's policy in the code that makes the bucket, and let nobody else call "
        "`s3:PutBucketPolicy`. Drift detection finds what was done around it.",
        page="https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html",
    ),
    repair="""\
BUCKET=$(output AssetBucketName)
mkdir -p .brewhaven/lab
aws s3api get-bucket-policy --bucket "$BUCKET" --query Policy --output text > .brewhaven/lab/policy.json
python - <<'END'
import json, pathlib
file = pathlib.Path(".brewhaven/lab/policy.json")
policy = json.loads(file.read_text())
policy["Statement"] = [part for part in policy["Statement"] if part.get("Sid") != "EncryptedUploadsOnly"]
file.write_text(json.dumps(policy))
END
aws s3api put-bucket-policy --bucket "$BUCKET" --policy file://.brewhaven/lab/policy.json
""",
)


@no_new_pictures.out_of_band
def _(cloud: Deployment) -> Plan:
    bucket = cloud.outputs["AssetBucketName"]
    before = cloud.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    statement = {
        "Sid": "EncryptedUploadsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/media/uploads/*",
        "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}},
    }
    policy = json.loads(before)
    after = json.dumps({**policy, "Statement": [*policy["Statement"], statement]})
    return Plan(
        do=[call("s3", "put_bucket_policy", Bucket=bucket, Policy=after)],
        undo=[call("s3", "put_bucket_policy", Bucket=bucket, Policy=before)],
    )


@no_new_pictures.noticed
def _(cloud: Deployment) -> str | None:
    (status,) = upload(cloud, "media/uploads/break.webp", 100)
    return f"an upload with a signed form answers {status}" if status >= 400 else None


# 1.4 Roles

boss_is_refused = FAULTS.fault(
    "boss-is-refused",
    lesson="1.4",
    check="open-orders-sparse",
    symptom='You yourself, in your terminal: *"I only want to know how many orders are open. My query on the index '
    'says `AccessDenied`. But I am the administrator here! The barista sees them all on her board."*',
    hints=(
        "Make the call that is refused and read the message to its end: who, what, on what, and why. Compare the last "
        "half sentence with those that you know from lessons 1.4 and 1.7.",
        "'With an explicit deny' means that it is no use to allow it once more. A `Deny` beats every `Allow`, and "
        "'identity-based' says where it is: in a policy of the one who calls. Who is that? `aws sts "
        "get-caller-identity`.",
        "A user has policies in three places: attached ones, inline ones, and those of the groups. `aws iam "
        "list-user-policies --user-name student` shows the inline ones, `aws iam get-user-policy` what they say. "
        "Delete the one that does not belong there: `aws iam delete-user-policy`.",
    ),
    explanation=Explanation(
        cause="After an audit somebody put an inline policy with a `Deny` on your user, and it caught more than it "
        "was meant to. An inline policy is easy to overlook: it is listed nowhere but at its user.",
        found_by="The refusal ends with *with an explicit deny in an identity-based policy*. `aws sts "
        "get-caller-identity` says whose, `aws iam list-user-policies` and `get-user-policy` show it. On AWS, the "
        "policy simulator names the statement that decides.",
        prevention="No users: people work with roles, whose policies are in code and are reviewed. A `Deny` belongs "
        "in few places, with a `Sid` that says why it is there.",
        page="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    ),
    repair="""\
aws iam list-user-policies --user-name student --query PolicyNames --output text
aws iam delete-user-policy --user-name student --policy-name after-the-audit
""",
    local_only="the denial is on the user `student` of the local cloud; in an account of yours the course has no user",
)


@boss_is_refused.out_of_band
def _(cloud: Deployment) -> Plan:
    user = cloud.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    mine = {"UserName": user, "PolicyName": "after-the-audit"}
    resource = f"arn:aws:dynamodb:*:*:table/{cloud.outputs['CatalogTableName']}/index/{INDEX_OF_OPEN_ORDERS}"
    statement = {"Effect": "Deny", "Action": "dynamodb:Query", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return Plan(
        do=[call("iam", "put_user_policy", **mine, PolicyDocument=document)],
        undo=[call("iam", "delete_user_policy", **mine, unless=["NoSuchEntity"])],
        beside=(user,),
    )


@boss_is_refused.noticed
def _(cloud: Deployment) -> str | None:
    return _refusal_of_open_orders(cloud.client("dynamodb"), cloud.outputs["CatalogTableName"])


def _refusal_of_open_orders(dynamodb: Any, table: str) -> str | None:
    """What the question for open orders is answered with where it is refused."""
    try:
        dynamodb.query(
            TableName=table,
            IndexName=INDEX_OF_OPEN_ORDERS,
            KeyConditionExpression="gsi2pk = :open",
            ExpressionAttributeValues={":open": {"S": "OPEN"}},
            Select="COUNT",
        )
    except ClientError as error:
        return str(error)
    return None


# 1.5 The shop on EC2, because only now there is somebody who notices

slow_at_noon = FAULTS.fault(
    "slow-at-noon",
    lesson="1.5",
    check="catalog-capacity",
    may_fail=("catalog-crud", "open-orders-sparse"),
    symptom='A guest: *"I could look at the menu, but nothing would go into my cart. It turned and turned, and then '
    "it said that the shop cannot do that right now. A quarter of an hour later it worked, once. It is always bad at "
    'noon."*',
    hints=(
        "Reading works, writing does not, and after a pause it does for a while. So nothing is missing and nothing is "
        "forbidden: there is too little of something, and it grows again by itself. What did lesson 1.2 say about "
        "that?",
        "The shop writes down what AWS refused, and why. On Fargate: `aws logs filter-log-events --log-group-name "
        "<StorefrontLogGroupName> --filter-pattern refused --query 'events[-3:].message'`. The name of the exception "
        "is the answer to what there is too little of.",
        "`aws dynamodb describe-table --table-name <CatalogTableName>` has `BillingModeSummary` and "
        "`ProvisionedThroughput`. The code says that the table is billed on demand. `aws dynamodb update-table` with "
        "`--billing-mode PAY_PER_REQUEST` makes it so again; deploying does not, because the template never changed.",
    ),
    explanation=Explanation(
        cause="Somebody wanted to save money, and switched the table to provisioned capacity in the console: one "
        "write unit a second, without scaling. The reserve of five minutes hid it until the first busy hour. Then "
        "DynamoDB refuses, the SDK waits and tries again, which looks like slowness, and at last the shop gives up.",
        found_by="The shop's log says `ProvisionedThroughputExceededException`. On AWS the table's metrics "
        "`WriteThrottleEvents` and `ConsumedWriteCapacityUnits` show it in one picture, and the second is a line at "
        "exactly 1. `aws dynamodb describe-table` has the number.",
        prevention="Capacity belongs in the code. Provision only what scales (`catalog_capacity=provisioned` does), "
        "and put an alarm on `WriteThrottleEvents`: one is one too many.",
        page="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TroubleshootingThrottling.html",
    ),
    repair="""\
TABLE=$(output CatalogTableName)
aws dynamodb describe-table --table-name "$TABLE" --query Table.ProvisionedThroughput.WriteCapacityUnits --output text
aws dynamodb update-table --table-name "$TABLE" --billing-mode PAY_PER_REQUEST --query TableDescription.TableStatus
""",
)


@slow_at_noon.out_of_band
def _(cloud: Deployment) -> Plan:
    table = {"TableName": cloud.outputs["CatalogTableName"]}
    before = cloud.client("dynamodb").describe_table(**table)["Table"]
    if before.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST":
        raise LookupError("the table is not billed on demand, as with catalog_capacity=provisioned")
    indexes = before.get("GlobalSecondaryIndexes", [])
    enough = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    throttled = ("ProvisionedThroughputExceededException", "ThrottlingException")
    # The guests of one noon: a single large item uses up the whole reserve of unused units.
    noon = {"pk": {"S": "CHECK#noon"}, "sk": {"S": "CHECK"}}
    rush = {**noon, "guests": {"S": "x" * 350_000}, "expires_at": {"N": str(int(time.time()) + 3600)}}
    return Plan(
        do=[
            call(
                "dynamodb",
                "update_table",
                **table,
                BillingMode="PROVISIONED",
                ProvisionedThroughput={**enough, "WriteCapacityUnits": 1},
                GlobalSecondaryIndexUpdates=[
                    {"Update": {"IndexName": index["IndexName"], "ProvisionedThroughput": enough}} for index in indexes
                ],
            ),
            call("dynamodb", "put_item", **table, Item=rush, unless=throttled),
        ],
        # It is on demand already if `do` did not come so far, or if it is mended.
        undo=[call("dynamodb", "update_table", **table, BillingMode="PAY_PER_REQUEST", unless=["ValidationException"])],
        tidy=[call("dynamodb", "delete_item", **table, Key=noon, unless=["ResourceNotFoundException", *throttled])],
    )


@slow_at_noon.noticed
def _(cloud: Deployment) -> str | None:
    answer = fill_cart(shop_url(cloud))
    return f"PUT /api/cart answers {answer.status}: {answer.json()['detail']}" if answer.status >= 400 else None


# 1.7 Boundaries

idle_barista = FAULTS.fault(
    "idle-barista",
    lesson="1.7",
    check="barista-can-work",
    symptom='The barista: *"My terminal at the counter shows no orders any more, and no menu either: everything that '
    "lists something says `AccessDenied`. One single order I can still move along, if somebody calls out its number. "
    'My role has the policy it always had, I have looked."*',
    hints=(
        "Be the barista: `aws sts assume-role` with `BaristaRoleArn`, then `aws dynamodb query` on the index "
        "`OpenOrders`, as in lesson 1.4. Read the refusal to its end.",
        "The policy of the role allows it, as she says. A call of hers needs two yeses (lesson 1.7). Which one is "
        "missing? `aws iam get-policy --policy-arn <StaffBoundaryArn>` says which version counts, `aws iam "
        "get-policy-version` what it says.",
        "The boundary that is deployed has a statement less than `StaffRoles.limit` in the code. Somebody deployed "
        "other code than yours: `cdk diff` shows it. Deploy yours again.",
    ),
    explanation=Explanation(
        cause="Somebody tightened the boundary and deployed that: the statement about the indexes is gone. Nothing in "
        "the roles' own policies changed, which is why looking at them leads nowhere.",
        found_by="The refusal ends with *because no permissions boundary allows the dynamodb:Query action*: neither "
        "the role's policy nor a denial, but the boundary. `cdk diff` shows the statement that the deployed template "
        "lacks; the stack's events have the update.",
        prevention="A boundary has a test that does the staff's everyday work inside of it, as the check "
        "`barista-can-work` does. Whoever changes the boundary sees it fail before the barista does.",
        page="https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
    ),
    repair="""\
brewhaven deploy "$LESSON"
""",
)


@idle_barista.on_template
def _(template: Template) -> None:
    (boundary,) = template.resources("AWS::IAM::ManagedPolicy", of="StaffRolesBoundary")
    document = boundary.properties["PolicyDocument"]
    document["Statement"] = [part for part in statements(document) if part.get("Sid") != "Indexes"]


@idle_barista.noticed
def _(cloud: Deployment) -> str | None:
    barista = cloud.assume(cloud.outputs["BaristaRoleArn"]).client("dynamodb")
    return _refusal_of_open_orders(barista, cloud.outputs["CatalogTableName"])
