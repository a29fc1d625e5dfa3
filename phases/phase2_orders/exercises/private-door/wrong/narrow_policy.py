"""A function deep inside of the network, and a door to each service that it calls."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

CODE = """
import os
import boto3

def handler(event, context):
    boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])
    item = {"pk": {"S": event["customer"]}}
    boto3.client("dynamodb").put_item(TableName=os.environ["TABLE_NAME"], Item=item)
"""


class Exercise(cdk.Stack):
    """A network with public and isolated subnets, and in the isolated ones the function that keeps the points."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC),
                ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ],
        )
        self.secret = secretsmanager.Secret(self, "Secret")
        self.table = dynamodb.TableV2(
            self,
            "Points",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        )
        self.group = ec2.SecurityGroup(self, "FunctionGroup", vpc=self.vpc, allow_all_outbound=False)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(CODE),
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self.group],
            environment={"SECRET_ARN": self.secret.secret_arn, "TABLE_NAME": self.table.table_name},
        )
        self.secret.grant_read(self.function)
        self.table.grant(self.function, "dynamodb:PutItem")
        # To anywhere, because DynamoDB's addresses are public ones; from these subnets only endpoints can be reached.
        self.group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS services, through the endpoints")
        isolated = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB, subnets=[isolated])
        door = ec2.SecurityGroup(self, "DoorGroup", vpc=self.vpc, allow_all_outbound=False)
        door.add_ingress_rule(ec2.Peer.security_group_id(self.group.security_group_id), ec2.Port.tcp(443))
        paid = self.vpc.add_interface_endpoint(
            "SecretsManager",
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            private_dns_enabled=True,
            subnets=ec2.SubnetSelection(subnets=[self.vpc.isolated_subnets[0]]),
            security_groups=[door],
            open=False,
        )
        paid.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["secretsmanager:DescribeSecret"],
                resources=[self.secret.secret_arn],
            )
        )
