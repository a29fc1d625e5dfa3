"""Somebody is told when the shop's answers fail."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch  # noqa: F401
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions  # noqa: F401
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from constructs import Construct

from brew_constructs.shop_network import ShopNetwork


class Exercise(cdk.Stack):
    """The load balancer in front of the shop's tasks, a topic for whoever is on call, and no alarm yet."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        network = ShopNetwork(self, "ShopNetwork")
        self.load_balancer = elbv2.ApplicationLoadBalancer(self, "LoadBalancer", vpc=network.vpc)
        self.on_call = sns.Topic(self, "OnCall")
        # Your alarm goes here.
