"""A database of orders that no careless command takes away."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct

from brew_constructs.shop_network import ShopNetwork

ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_16)


class Exercise(cdk.Stack):
    """PostgreSQL in the isolated subnets, and what keeps its data."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        network = ShopNetwork(self, "ShopNetwork")
        self.database = rds.DatabaseInstance(
            self,
            "Orders",
            engine=ENGINE,
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            parameters={"rds.force_ssl": "1"},
            storage_encrypted=True,
            backup_retention=cdk.Duration.days(7),
            delete_automated_backups=False,
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.SNAPSHOT,
        )
