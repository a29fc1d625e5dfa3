"""The base of every phase's stack: where it lives, what it is called, how it is tagged, and its lessons."""

from typing import Any, ClassVar, cast

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from brew_constructs.acknowledge import acknowledge
from stacks.lessons import Lesson, lesson_methods
from stacks.settings import Settings

ZONES = 2

CDK_HELPER = (
    "This function and its role belong to the CDK, which chooses and updates them with each release. It runs while the "
    "stack is deployed or destroyed, and a failure fails that, so nobody needs a trace or a dead-letter queue."
)
CDK_HELPER_FINDINGS = (
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
    "AwsSolutions-L1",
    "Serverless-LambdaLatestVersion",
    "Serverless-LambdaDLQ",
    "Serverless-LambdaTracing",
)


class PhaseStack(cdk.Stack):
    """One phase of the course: a subclass sets `phase` and `title` and writes its lessons as `@lesson` methods.

    The stack is called `BrewHaven-Phase<phase>-<title>`, with the student's prefix in front. Its tags are the stack's
    own, which CloudFormation hands on to every resource that can be tagged.
    """

    phase: ClassVar[int]
    title: ClassVar[str]
    lessons: ClassVar[tuple[Lesson, ...]] = ()
    _methods: ClassVar[dict[Lesson, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._methods = lesson_methods(cls)
        cls.lessons = tuple(cls._methods)

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        built = [lesson for lesson in self.lessons if settings.builds(lesson)]
        tags = {"Project": "brew-haven", "Phase": str(self.phase), "Student": settings.student}
        super().__init__(
            scope,
            self.id_for(settings),
            env=cdk.Environment(account=settings.account, region=settings.region),
            description=f"Brew Haven, phase {self.phase}: {self.title}, lesson {built[-1].id}{settings.variant}",
            tags={name: value for name, value in tags.items() if value},
        )
        self.settings = settings
        for lesson in built:
            getattr(self, self._methods[lesson])()
        self._adopt_cdk_helpers()

    @classmethod
    def id_for(cls, settings: Settings) -> str:
        """The id that students type, for example `BrewHaven-Phase1-Foundation` or `s01-BrewHaven-Phase1-Foundation`."""
        return f"{settings.prefix}BrewHaven-Phase{cls.phase}-{cls.title}"

    @property
    def availability_zones(self) -> list[str]:
        """The first two zones of the account, chosen by CloudFormation.

        The CDK would look the zones up in the account while it synthesizes and keep them in cdk.context.json. With
        `Fn::GetAZs` synth needs no network, and what the tests see is what is deployed.
        """
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(ZONES)]

    def output(self, name: str, value: str, description: str) -> None:
        """Publish a value under exactly this name, for students, the tool and the checks."""
        cdk.CfnOutput(self, name, value=value, description=description)

    def _adopt_cdk_helpers(self) -> None:
        """Give the CDK's own helper functions a log group that goes when the stack goes, and accept how they are built.

        A function without one makes its own at the first call, which no `cdk destroy` finds and which keeps its lines
        for ever. The CDK puts its helpers (they empty buckets, run triggers ...) directly under the stack.
        """
        helpers = [
            function
            for child in self.node.children
            for function in child.node.children
            if isinstance(function, cdk.CfnResource) and function.cfn_resource_type == "AWS::Lambda::Function"
        ]
        for function in helpers:
            acknowledge(cast(IConstruct, function.node.scope), dict.fromkeys(CDK_HELPER_FINDINGS, CDK_HELPER))
        without_logs = [
            function
            for function in helpers
            if not (isinstance(function, lambda_.CfnFunction) and function.logging_config)
        ]
        if without_logs:
            group = logs.LogGroup(
                self, "CdkHelperLogs", retention=logs.RetentionDays.ONE_WEEK, removal_policy=cdk.RemovalPolicy.DESTROY
            )
            for function in without_logs:
                function.add_property_override("LoggingConfig.LogGroup", group.log_group_name)
