"""StaffRoles: what a barista, a manager and an auditor may do with the shop's data."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from brew_constructs.acknowledge import acknowledge, wildcard
from brew_constructs.asset_bucket import MEDIA, MENU_MEDIA, UPLOADS, AssetBucket
from brew_constructs.catalog_table import BY_CATEGORY, OPEN_ORDERS, CatalogIndex, CatalogTable

LOOK_AT_THE_TABLE = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:ListTagsOfResource",
)
LOOK_AT_THE_BUCKET = (
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
)


class StaffRoles(Construct):
    """Three roles for the people behind the counter, each with the least that the work needs.

    | Role    | Table                                                        | Bucket                               |
    |---------|--------------------------------------------------------------|--------------------------------------|
    | barista | reads the menu and the open orders, moves orders along       | sees pictures                        |
    | manager | as the barista, and writes products                          | sees, uploads and replaces pictures  |
    | auditor | sees how it is set up and what is on the menu, no customers  | sees how it is set up, lists objects |

    The kinds of item in the one table are told apart by their partition key, and so are the rights:
    `dynamodb:LeadingKeys` is the partition key that a request names. Such a condition cannot be expressed with the
    CDK's `grant_*`, hence the statements here.

    A role has no password and no key. Whoever may call `sts:AssumeRole` on it in this account (an administrator gives
    that to a user, to a group or to a permission set of Identity Center) gets credentials for at most an hour. That is
    why these are roles and not users: there is nothing to leak that still works tomorrow.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """

    def __init__(self, scope: Construct, id_: str, *, catalog: CatalogTable, assets: AssetBucket) -> None:
        super().__init__(scope, id_)
        self._catalog = catalog
        self._assets = assets
        self.barista = self._role("Barista", "Makes what was ordered")
        self.manager = self._role("Manager", "Keeps the menu, and helps at the counter")
        self.auditor = self._role("Auditor", "Looks at how the shop is set up, never at its customers")
        for role in (self.barista, self.manager):
            self._allow_menu_reading(role)
            self._allow_counter_work(role)
        self._allow_menu_keeping(self.manager)
        self._allow_auditing(self.auditor)

    @property
    def all(self) -> tuple[iam.Role, ...]:
        """The three roles."""
        return self.barista, self.manager, self.auditor

    def limit(self) -> iam.ManagedPolicy:
        """Put a permission boundary around the three roles, and return it.

        A boundary grants nothing. It is the most that a role can ever do: a call needs a policy *and* the boundary. So
        a policy that somebody attaches in a hurry, `dynamodb:*` say, still cannot delete the table or read a customer.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
        """
        boundary = iam.ManagedPolicy(
            self,
            "Boundary",
            description="The most that staff of the shop can ever be allowed",
            statements=[
                iam.PolicyStatement(
                    sid="ProductsAndOrders",
                    actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
                    resources=[self._catalog.table.table_arn],
                    conditions=_only_keys("PRODUCT#*", "MENU", "ORDER#*"),
                ),
                iam.PolicyStatement(
                    sid="Indexes",
                    actions=["dynamodb:Query"],
                    resources=[self._index_arn(BY_CATEGORY), self._index_arn(OPEN_ORDERS)],
                ),
                iam.PolicyStatement(
                    sid="LookingAtTheTable",
                    actions=list(LOOK_AT_THE_TABLE),
                    resources=[self._catalog.table.table_arn],
                ),
                iam.PolicyStatement(
                    sid="Pictures",
                    actions=["s3:GetObject", "s3:PutObject"],
                    resources=[self._assets.bucket.arn_for_objects(f"{MEDIA}*")],
                ),
                iam.PolicyStatement(
                    sid="LookingAtTheBucket",
                    actions=list(LOOK_AT_THE_BUCKET),
                    resources=[self._assets.bucket.bucket_arn],
                ),
            ],
        )
        acknowledge(
            boundary,
            {
                wildcard(
                    self._assets.bucket, f"/{MEDIA}*"
                ): "A boundary grants nothing. It ends at the shop's pictures, whose keys come and go."
            },
        )
        for role in self.all:
            iam.PermissionsBoundary.of(role).apply(boundary)
        return boundary

    def _role(self, id_: str, description: str) -> iam.Role:
        return iam.Role(
            self,
            id_,
            assumed_by=iam.AccountRootPrincipal(),  # the account decides who; it is not the root user that is meant
            description=description,
            max_session_duration=cdk.Duration.hours(1),
        )

    def _allow_menu_reading(self, role: iam.Role) -> None:
        self._allow_items(role, "ReadProducts", ["dynamodb:GetItem"], "PRODUCT#*", "MENU")
        self._allow_index(role, "ReadMenu", BY_CATEGORY)
        self._assets.grant_read(role)

    def _allow_counter_work(self, role: iam.Role) -> None:
        self._allow_index(role, "ReadOpenOrders", OPEN_ORDERS)
        self._allow_items(role, "MoveOrdersAlong", ["dynamodb:GetItem", "dynamodb:UpdateItem"], "ORDER#*")

    def _allow_menu_keeping(self, role: iam.Role) -> None:
        # Products are retired, not deleted: an order of last year still names what was drunk.
        self._allow_items(role, "KeepProducts", ["dynamodb:PutItem", "dynamodb:UpdateItem"], "PRODUCT#*", "MENU")
        for prefix in (MENU_MEDIA, UPLOADS):
            self._assets.grant_upload(role, prefix)

    def _allow_auditing(self, role: iam.Role) -> None:
        self._allow_index(role, "ReadMenu", BY_CATEGORY)
        role.add_to_policy(
            iam.PolicyStatement(
                sid="SeeHowTheTableIsSetUp",
                actions=list(LOOK_AT_THE_TABLE),
                resources=[self._catalog.table.table_arn],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="SeeHowTheBucketIsSetUp",
                actions=list(LOOK_AT_THE_BUCKET),
                resources=[self._assets.bucket.bucket_arn],
            )
        )

    def _allow_items(self, role: iam.Role, sid: str, actions: Sequence[str], *keys: str) -> None:
        role.add_to_policy(
            iam.PolicyStatement(
                sid=sid, actions=list(actions), resources=[self._catalog.table.table_arn], conditions=_only_keys(*keys)
            )
        )

    def _allow_index(self, role: iam.Role, sid: str, index: CatalogIndex) -> None:
        # No condition on keys: an index holds only items that have its key attributes, which is limit enough.
        role.add_to_policy(iam.PolicyStatement(sid=sid, actions=["dynamodb:Query"], resources=[self._index_arn(index)]))

    def _index_arn(self, index: CatalogIndex) -> str:
        return f"{self._catalog.table.table_arn}/index/{index.name}"


def _only_keys(*keys: str) -> dict[str, dict[str, object]]:
    """Only requests that name partition keys, and of those only `keys` (with `*` as a wildcard).

    `ForAllValues` is also true of a request that names no key at all, such as a Scan, so `Null` asks for at least one.
    """
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}, "Null": {"dynamodb:LeadingKeys": "false"}}
