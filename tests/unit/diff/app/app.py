"""A small app whose lessons are the changes that an instructor shows: each number is another variant of one stack.

1.1 the beginning, 1.2 a changed key, 1.3 a renamed construct, 1.4 a removed grant, 1.5 a moved construct and 1.6 a
network.
"""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Counter(Construct):
    """A function that works with the table."""

    def __init__(self, scope: Construct, id_: str, *, table: dynamodb.Table) -> None:
        super().__init__(scope, id_)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): ..."),
            environment={"ORDERS_TABLE": table.table_name},
        )


class Shop(cdk.Stack):
    """One table, one bucket, one queue, and a function that may use the first."""

    def __init__(self, scope: Construct, variant: str) -> None:
        super().__init__(scope, "Shop", env=cdk.Environment(account="111122223333", region="us-east-1"))
        key = "orderId" if variant == "1.2" else "id"
        table_id = "OrderTable" if variant == "1.3" else "Orders"
        self.orders = dynamodb.Table(
            self,
            table_id,
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        scope_ = Construct(self, "Kitchen") if variant == "1.5" else self
        self.counter = Counter(scope_, "Counter", table=self.orders)
        if variant == "1.4":
            self.orders.grant_read_data(self.counter.function)
        else:
            self.orders.grant_read_write_data(self.counter.function)
        self.pictures = s3.Bucket(self, "Pictures", versioned=variant == "1.4")
        self.tickets = sqs.Queue(self, "Tickets", visibility_timeout=cdk.Duration.seconds(60))
        if variant == "1.6":
            self.network()
        cdk.CfnOutput(self, "TableName", value=self.orders.table_name)

    def network(self) -> None:
        vpc = ec2.Vpc(self, "Vpc", max_azs=2, nat_gateways=1)
        group = ec2.SecurityGroup(self, "Group", vpc=vpc)
        group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443))
        cdk.CfnParameter(self, "Opening", default="08:00")


app = cdk.App()
Shop(app, str(app.node.try_get_context("lesson")))
app.synth()
