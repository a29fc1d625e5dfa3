"""The display over the counter reads open orders."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct


class Exercise(cdk.Stack):
    """A table with an index of open orders, and the role of the display."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.table = dynamodb.TableV2(
            self,
            "Orders",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name="OpenOrders",
                    partition_key=dynamodb.Attribute(name="gsi2pk", type=dynamodb.AttributeType.STRING),
                    sort_key=dynamodb.Attribute(name="gsi2sk", type=dynamodb.AttributeType.STRING),
                )
            ],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.display = iam.Role(self, "Display", assumed_by=iam.AccountPrincipal(self.account))
        cdk.CfnOutput(self, "TableName", value=self.table.table_name)
        cdk.CfnOutput(self, "DisplayRoleArn", value=self.display.role_arn)
        self.display.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name("AmazonDynamoDBReadOnlyAccess"))
