"""PrivateFunctions: the place for functions that need the database, and their way to the AWS services they call."""

from collections.abc import Sequence
from typing import TypedDict

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.order_database import OrderDatabase

HTTPS = ec2.Port.tcp(443)


class NetworkSettings(TypedDict):
    """Where a function runs, to be unpacked into `lambda_.Function(...)`."""

    vpc: ec2.IVpc
    vpc_subnets: ec2.SubnetSelection
    security_groups: list[ec2.ISecurityGroup]


class PrivateFunctions(Construct):
    """The isolated subnets for functions that talk to the database, with a private door to each AWS service they call.

    A function is outside every VPC unless it is told otherwise, and then reaches every AWS service. One that must reach
    a database in an isolated subnet has to be inside, and is then cut off from the rest: these subnets have no way out.
    S3 and DynamoDB have gateway endpoints, which are free. For any other service there are these ways:

    | Way                                          | USD a month | What it means                                       |
    |----------------------------------------------|-------------|-----------------------------------------------------|
    | interface endpoint in one zone, as here      | 7.30 each   | one service, by a private address; 0.01 a GB        |
    | interface endpoint in two zones              | 14.60 each  | goes on when a zone fails                           |
    | NAT gateway in one zone                      | 32.85       | the whole internet; 0.045 a GB                      |
    | the function outside, the database reachable | 0           | a database with a public address: not for data      |

    One zone is enough while the database is in one zone, too. Two endpoints cost less than half of a NAT gateway, and
    nothing leaves through them but what their policies let through.

    A private DNS name is one for the whole network: while the endpoint stands, *everybody* in the VPC who asks for
    `secretsmanager.<region>.amazonaws.com` gets its private address. So the endpoints admit the callers that were in
    the network before, too; without that the shop would lose its secrets in the moment this is deployed.

    :param vpc: the network, with isolated subnets and gateway endpoints for S3 and DynamoDB.
    :param database: the database that they are here for. They may connect to it, and read secrets by a door of their
        own.
    :param neighbours: the security groups of whoever else in this network calls the services that get an endpoint.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        vpc: ec2.IVpc,
        database: OrderDatabase,
        neighbours: Sequence[ec2.ISecurityGroup] = (),
    ) -> None:
        super().__init__(scope, id_)
        self.vpc = vpc
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description="Functions in the network: nobody calls them, they call out",
            allow_all_outbound=False,
        )
        # To anywhere, because DynamoDB's addresses are public ones; from these subnets only endpoints can be reached.
        self.security_group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "AWS services, through the endpoints")
        self._doors = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=vpc,
            description="Interface endpoints: HTTPS from those who call the services behind them",
            allow_all_outbound=False,
        )
        for caller in (self.security_group, *neighbours):
            self._doors.add_ingress_rule(
                ec2.Peer.security_group_id(caller.security_group_id), HTTPS, "Callers in this network"
            )
        database.admit(self, "IntoDatabase", self.security_group, "Functions of this phase")
        database.let_out(self, "ToDatabase", self.security_group, "The orders database")
        self._open_secrets_manager()

    def open_door(
        self,
        scope: Construct,
        id_: str,
        *,
        service: ec2.InterfaceVpcEndpointAwsService,
        actions: Sequence[str],
        resource: str,
    ) -> ec2.InterfaceVpcEndpoint:
        """Make the interface endpoint of a service, in one zone.

        :param scope: whose endpoint it is: that of the construct that needs the service.
        :param actions: what goes through it, for callers of this account.
        :param resource: with what they may do it.
        """
        endpoint = ec2.InterfaceVpcEndpoint(
            scope,
            id_,
            vpc=self.vpc,
            service=service,
            private_dns_enabled=True,
            subnets=ec2.SubnetSelection(subnets=[self.vpc.isolated_subnets[0]]),
            security_groups=[self._doors],
            open=False,  # True would admit every address of the network
        )
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=list(actions),
                resources=[resource],
                conditions={"StringEquals": {"aws:PrincipalAccount": cdk.Stack.of(self).account}},
            )
        )
        return endpoint

    def settings(self, role: iam.IRole) -> NetworkSettings:
        """Where a function runs that has this role; the role gets what Lambda needs in order to connect it.

        The managed policy AWSLambdaVPCAccessExecutionRole would do, but it also allows writing to every log group.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
        """
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="NetworkInterfaces",
                actions=[
                    "ec2:AssignPrivateIpAddresses",
                    "ec2:CreateNetworkInterface",
                    "ec2:DeleteNetworkInterface",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSubnets",
                    "ec2:UnassignPrivateIpAddresses",
                ],
                resources=["*"],
            )
        )
        acknowledge(
            role,
            {
                "AwsSolutions-IAM5[Resource::*]": "Lambda makes the function's network interfaces with the function's "
                "own role, before their ids are known, and to describe them knows no resource. From inside these "
                "subnets the function itself cannot reach EC2's API: there is no endpoint for it."
            },
        )
        return NetworkSettings(vpc=self.vpc, vpc_subnets=self.subnets, security_groups=[self.security_group])

    def _open_secrets_manager(self) -> None:
        """Open the door to Secrets Manager, for reading secrets of this account.

        There is more than one secret and more than one caller, and which of them may read which is decided by roles.
        The endpoint adds what no role can say: nobody in this network reads from, or writes into, the secrets of
        another account.
        """
        self.open_door(
            self,
            "SecretsManager",
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            actions=["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            resource=cdk.Stack.of(self).format_arn(
                service="secretsmanager",
                resource="secret",
                resource_name="*",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            ),
        )
