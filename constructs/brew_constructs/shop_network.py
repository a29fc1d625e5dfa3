"""ShopNetwork: the VPC in which the shop runs."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from brew_constructs.acknowledge import acknowledge


class ShopNetwork(Construct):
    """A network of two availability zones, each with a public and an isolated subnet.

    What faces the internet (the load balancer, and the shop's tasks, which fetch their image and reach AWS) is in the
    public subnets, kept shut by security groups. What must never face it, such as a database, goes into the isolated
    subnets, which have no route out at all.

    There is no NAT gateway: two of them cost about 70 dollars a month before a single byte. S3 and DynamoDB are reached
    through gateway endpoints, which are free and keep that traffic inside AWS. Interface endpoints cost money by the
    hour, so the phase that first needs one brings it.

    :param cidr: the private addresses of the network. By default 10.20.0.0/16.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-example-web-database-servers.html
    """

    def __init__(self, scope: Construct, id_: str, *, cidr: str = "10.20.0.0/16") -> None:
        super().__init__(scope, id_)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
                ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        acknowledge(
            self.vpc,
            {
                "AwsSolutions-VPC7": "Flow logs are billed by the gigabyte, and nobody reads them yet. A later stack "
                "can add them to this network without changing it, when there is somebody who does."
            },
        )
