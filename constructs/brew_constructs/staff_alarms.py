"""StaffAlarms: where alarms go, and how the course's alarms are made."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from brew_constructs.acknowledge import acknowledge


class StaffAlarms(Construct):
    """A topic that tells the staff when something is wrong, and right again.

    An alarm looks at one metric, minute by minute. It changes its state when the metric has been beyond the threshold
    for as many minutes as it is told, and speaks only then: a queue that is too old for an hour is one message, not
    sixty. Silence is not an alarm here, because most of these metrics exist only while something happens.

    Ten alarms of a month are free, each further one costs 0.10 USD.

    :param email: who is told; AWS asks the address to confirm. By default nobody is, and the alarms are only to be
        seen.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
    """

    def __init__(self, scope: Construct, id_: str, *, email: str | None = None) -> None:
        super().__init__(scope, id_)
        self.topic = sns.Topic(self, "Topic", display_name="Brew Haven", enforce_ssl=True)
        self.alarms: list[cloudwatch.Alarm] = []
        self._action = cloudwatch_actions.SnsAction(self.topic)
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
            acknowledge(
                self.topic,
                {
                    "Serverless-SNSRedrivePolicy": "An alarm that a mailbox did not take is still to be seen: in the "
                    "console, on the dashboard, and in the next mail that says that all is well again."
                },
            )
        # A topic without a policy admits its own account. This one has a policy (TLS only), so it must say who may.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )

    def add(
        self,
        scope: Construct,
        id_: str,
        *,
        metric: cloudwatch.IMetric,
        threshold: float,
        says: str,
        minutes: int = 1,
        below: bool = False,
    ) -> cloudwatch.Alarm:
        """Make an alarm that tells the staff.

        :param scope: what the alarm is about; the alarm becomes a part of it.
        :param metric: a metric with a value for each minute or five.
        :param threshold: from this value on something is wrong.
        :param says: one sentence: what is wrong, and where to look. It is what the staff reads.
        :param minutes: for how many values in a row. By default one is enough.
        :param below: the alarm is for values at the threshold or less. By default for those at the threshold or more.
        """
        operator = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            scope,
            id_,
            metric=metric,
            threshold=threshold,
            evaluation_periods=minutes,
            comparison_operator=operator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
            if below
            else operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=says,
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        self.alarms.append(alarm)
        return alarm
