"""Somebody is told when the shop's answers fail."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_sns as sns
from constructs import Construct

LOAD_BALANCER = "app/BrewHa-Store-1A2B3C4D5E6F/50dc6c495c0c9188"


class Exercise(cdk.Stack):
    """A topic for whoever is on call, and the alarm that tells them."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.on_call = sns.Topic(self, "OnCall")
        failures = cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name="HTTPCode_Target_5XX_Count",
            dimensions_map={"LoadBalancer": LOAD_BALANCER},
            statistic="Average",
            period=cdk.Duration.minutes(1),
        )
        alarm = failures.create_alarm(
            self,
            "ShopFails",
            threshold=5,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description="The shop answers guests with errors: read its log group first",
        )
        alarm.add_alarm_action(cloudwatch_actions.SnsAction(self.on_call))
