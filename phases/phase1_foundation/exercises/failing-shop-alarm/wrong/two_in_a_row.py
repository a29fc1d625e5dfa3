"""Somebody is told when the shop's answers fail."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from constructs import Construct

from brew_constructs.shop_network import ShopNetwork


class Exercise(cdk.Stack):
    """The load balancer in front of the shop's tasks, and an alarm that tells whoever is on call."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        network = ShopNetwork(self, "ShopNetwork")
        self.load_balancer = elbv2.ApplicationLoadBalancer(self, "LoadBalancer", vpc=network.vpc)
        self.on_call = sns.Topic(self, "OnCall")
        failures = self.load_balancer.metrics.http_code_target(
            elbv2.HttpCodeTarget.TARGET_5XX_COUNT, statistic="Sum", period=cdk.Duration.minutes(1)
        )
        alarm = failures.create_alarm(
            self,
            "ShopFails",
            threshold=5,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=2,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description="The shop answers guests with errors: read its log group first",
        )
        alarm.add_alarm_action(cloudwatch_actions.SnsAction(self.on_call))
