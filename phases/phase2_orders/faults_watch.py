"""Faults of lesson 2.7: who looks at pictures, and who is called when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import Explanation, FaultList, Plan, call
from brewhaven.course.template import Template
from phases.phase1_foundation.faults_hosting import DEPLOY_YOUR_CODE
from phases.phase2_orders.checks_pictures import UPLOADS, bucket_of, is_there, uploaded
from phases.phase2_orders.probes import new_id, wait_for

FAULTS = FaultList()

ALARM = "AWS::CloudWatch::Alarm"
PATIENCE_SECONDS = 20


anything_goes = FAULTS.fault(
    "anything-goes",
    lesson="2.7",
    check="picture-accepted",
    may_fail=("picture-quarantined",),
    symptom='The manager: *"I always test new staff with a joke: I upload a recipe as if it were a photograph of a '
    "cake. It used to be gone within seconds, with a stern note to me. Today it stays, for all guests to see. And of "
    'the photographs that I put up yesterday there is no small copy either. Has nobody looked at them?"*',
    hints=(
        "Nobody has rejected the file, and nobody has accepted it either: it was not looked at. Who should have been "
        "told, and on which way (the picture in lesson 2.7)? Bucket, rule, queue, function: how far did the message "
        "come? Look at `PictureQueueUrl` and at the function's log.",
        "Nothing has arrived in the queue, so the function has nothing to fail at. Before the queue there is a rule. "
        "`aws events list-rules` names it and `aws events describe-rule --name <it>` shows whether it is on, and "
        "which events it is for.",
        "Its pattern asks for the reason `POST Object`. A browser does post, but into `media/uploads/`; what the shop "
        "has looked into and put under `media/uploads/checked/` it has written itself, and that reason is `PutObject`. "
        "The code of `ImagePipeline` names no reason. Somebody deployed other code: `cdk diff`, then deploy yours.",
    ),
    explanation=Explanation(
        cause="Somebody read in the documentation that an upload by a form has the reason `POST Object`, and narrowed "
        "the rule to that, 'because pictures come by the form'. They do, but the rule is for the folder behind it, "
        "where the shop itself writes. One condition more in a pattern, and all of them must be met: nothing met them.",
        found_by="Every queue is empty and every function silent: so it is the rule. `aws events describe-rule` shows "
        "the pattern, `aws events test-event-pattern` says of an event whether it would pass. On AWS the rule's metric "
        "`MatchedEvents` ends at the hour of the deployment, with `FailedInvocations` at 0. `cdk diff` shows the line.",
        prevention="Keep a real event beside each pattern, and a test that matches the two. And do once what the rule "
        "is for after each deployment, as the check `picture-accepted` does: upload, and look what becomes of it.",
        page="https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html",
    ),
    repair=DEPLOY_YOUR_CODE,
)


@anything_goes.on_template
def _(template: Template) -> None:
    (rule,) = template.resources("AWS::Events::Rule", of="ImagePipelineNewPictures")
    rule.properties["EventPattern"]["detail"]["reason"] = ["POST Object"]


@anything_goes.noticed
def _(cloud: Deployment) -> str | None:
    client, bucket = cloud.client("s3"), bucket_of(cloud)
    with uploaded(cloud, ".jpg", b"A recipe: two eggs, and whatever is in the cupboard.") as name:
        gone = wait_for(lambda: not is_there(client, bucket, f"{UPLOADS}{name}"), seconds=PATIENCE_SECONDS)
    return None if gone else f"a recipe called .jpg can be seen after {PATIENCE_SECONDS} s"


nobody_was_called = FAULTS.fault(
    "nobody-was-called",
    lesson="2.7",
    check="alarms-watch",
    symptom='The manager: *"On Sunday forty guests got no note, for six hours, and I hear of it on Monday from a '
    'guest! You have told me that somebody is called when such a thing happens. I have asked around: nobody was."* It '
    "has been mended since, and everything runs. What remains is the question why it was so quiet.",
    hints=(
        "Everything runs, so there is nothing to be found where the orders are. The question is what should have "
        "happened on Sunday: which two things have to be true so that somebody is called (lesson 2.3)?",
        "Something has to notice, and it has to tell. Try it: `aws cloudwatch set-alarm-state --alarm-name <one of the "
        "order pipeline> --state-value ALARM --state-reason trial`. It turns red, on the dashboard as well. And whom "
        "does it tell? `aws cloudwatch describe-alarms --alarm-names <it>`: read all of it.",
        "`ActionsEnabled` is false: the alarm rings and tells nobody. `aws cloudwatch describe-alarms --query "
        "'MetricAlarms[?!ActionsEnabled].AlarmName'` names all that are mute. It was done by hand, so deploying "
        "changes nothing: `aws cloudwatch enable-alarm-actions --alarm-names ...`.",
    ),
    explanation=Explanation(
        cause="For a planned piece of work somebody muted the alarms of the order pipeline, which is right, and did "
        "not switch them on again, which happens. A mute alarm looks like any other: it has its colour, its history "
        "and its topic.",
        found_by="`aws cloudwatch describe-alarms` with a query for `ActionsEnabled`; in the console a small sign "
        "beside the alarm's name. Its history has the change of state and no *action* behind it. On AWS, CloudTrail "
        "has the `DisableAlarmActions` with name and time.",
        prevention="Mute with an end: CloudWatch has *alarm mute rules* with a duration for planned work. And let "
        "alarms ring on purpose, once a month, up to the telephone: that finds what no setting shows.",
        page="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Alarms.html",
    ),
    repair="""\
aws cloudwatch describe-alarms --query 'MetricAlarms[?!ActionsEnabled].AlarmName' --output text |
  xargs aws cloudwatch enable-alarm-actions --alarm-names
""",
)


def _alarms_of_orders(cloud: Deployment) -> list[str]:
    return [alarm.physical_id for alarm in cloud.resources(ALARM, of="OrderPipeline")]


@nobody_was_called.out_of_band
def _(cloud: Deployment) -> Plan:
    names = _alarms_of_orders(cloud)
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    loud = [alarm["AlarmName"] for alarm in found if alarm["ActionsEnabled"]]
    return Plan(
        do=[call("cloudwatch", "disable_alarm_actions", AlarmNames=loud)],
        undo=[call("cloudwatch", "enable_alarm_actions", AlarmNames=loud)],
    )


@nobody_was_called.noticed
def _(cloud: Deployment) -> str | None:
    """Let an alarm ring on purpose, and listen where the staff would."""
    client, name = cloud.client("cloudwatch"), _alarms_of_orders(cloud)[0]
    with _listening(cloud, cloud.outputs["AlarmTopicArn"]) as heard:
        for value in ("OK", "ALARM"):
            client.set_alarm_state(AlarmName=name, StateValue=value, StateReason="a trial")
        called = wait_for(lambda: name in heard(), seconds=PATIENCE_SECONDS)
    return None if called else f"the alarm {name} rings, and after {PATIENCE_SECONDS} s nobody was called"


@contextmanager
def _listening(cloud: Deployment, topic: str) -> Iterator[Callable[[], str]]:
    """A listener of a topic, for a moment; what it yields answers what has been heard since it was asked last."""
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName=new_id())["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)

    def heard() -> str:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        return " ".join(message["Body"] for message in found)

    try:
        yield heard
    finally:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=url)
