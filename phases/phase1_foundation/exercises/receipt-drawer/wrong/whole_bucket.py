"""A drawer for receipts: private, and a role may put things in and no more."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct


class ReceiptDrawer(Construct):
    """A private bucket for receipts."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
        )

    def grant_filing(self, role: iam.IRole) -> None:
        """Allow a role to put receipts into the drawer, and nothing else."""
        # bucket.grant_put would also allow tagging and more; the till only puts.
        iam.Grant.add_to_principal(
            grantee=role, actions=["s3:PutObject"], resource_arns=[self.bucket.arn_for_objects("*")]
        )


class Exercise(cdk.Stack):
    """The drawer, and the till that files receipts in it."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        till = iam.Role(self, "Till", assumed_by=iam.AccountPrincipal(self.account))
        ReceiptDrawer(self, "Drawer").grant_filing(till)
