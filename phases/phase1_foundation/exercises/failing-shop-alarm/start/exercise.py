"""Somebody is told when the shop's answers fail."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch  # noqa: F401
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions  # noqa: F401
from aws_cdk import aws_sns as sns
from constructs import Construct

LOAD_BALANCER = "app/BrewHa-Store-1A2B3C4D5E6F/50dc6c495c0c9188"


class Exercise(cdk.Stack):
    """A topic for whoever is on call, and an alarm that is still missing."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.on_call = sns.Topic(self, "OnCall")
        # Your alarm goes here.
