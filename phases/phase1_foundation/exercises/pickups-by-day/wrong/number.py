"""Which orders will be picked up on this day, the earliest first?"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


class Exercise(cdk.Stack):
    """A table of orders that were made ahead."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.table = dynamodb.TableV2(
            self,
            "Orders",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            removal_policy=cdk.RemovalPolicy.DESTROY,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name="PickupsByDay",
                    partition_key=dynamodb.Attribute(name="pickup_day", type=dynamodb.AttributeType.STRING),
                    sort_key=dynamodb.Attribute(name="pickup_at", type=dynamodb.AttributeType.NUMBER),
                )
            ],
        )
