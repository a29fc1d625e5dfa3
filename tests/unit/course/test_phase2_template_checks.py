"""Each template check of phase 2 fails, and it alone, when what it proves is taken out of the stack."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest

from brewhaven.course import checks, template, verify
from brewhaven.course.catalogue import load
from brewhaven.course.checks import CheckList
from brewhaven.course.template import Template

Resources = dict[str, Any]
Break = Callable[[Resources], None]

STACK = "BrewHaven-Phase2-Orders"


@pytest.fixture(scope="module")
def stack() -> Template:
    os.environ["CDK_VALIDATION"] = "false"
    return template.synthesize({"lesson": "2.7"}, account="111122223333", region="us-east-1")[STACK]


@pytest.fixture(scope="module")
def declared() -> CheckList:
    return checks.load(load().phase(2).folder)


def one(resources: Resources, type_: str, begins: str = "") -> Any:
    """The properties of the first resource of a type, to be changed in place."""
    return next(
        body["Properties"] for name, body in resources.items() if body["Type"] == type_ and name.startswith(begins)
    )


def id_of(resources: Resources, type_: str, begins: str = "") -> str:
    return next(name for name, body in resources.items() if body["Type"] == type_ and name.startswith(begins))


def database(resources: Resources) -> Any:
    return one(resources, "AWS::RDS::DBInstance")


def cache(resources: Resources) -> Any:
    return one(resources, "AWS::ElastiCache::ReplicationGroup")


def mapping(resources: Resources, begins: str) -> Any:
    return one(resources, "AWS::Lambda::EventSourceMapping", begins)


def alarm(resources: Resources, begins: str) -> Any:
    return one(resources, "AWS::CloudWatch::Alarm", begins)


def queue(resources: Resources, begins: str) -> Any:
    return one(resources, "AWS::SQS::Queue", begins)


def address_rule(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}


def public_database(resources: Resources) -> None:
    database(resources)["PubliclyAccessible"] = True


def database_for_a_range(resources: Resources) -> None:
    one(resources, "AWS::EC2::SecurityGroup", "OrderDatabase")["SecurityGroupIngress"] = [address_rule(5432)]


def database_with_another_door(resources: Resources) -> None:
    one(resources, "AWS::EC2::SecurityGroupIngress", "PrivateFunctionsIntoDatabase")["FromPort"] = 22


def no_way_to_sns(resources: Resources) -> None:
    del resources[id_of(resources, "AWS::EC2::VPCEndpoint", "OrderPipelineSnsEndpoint")]


def doors_for_a_range(resources: Resources) -> None:
    group = one(resources, "AWS::EC2::SecurityGroup", "PrivateFunctionsEndpointSecurityGroup")
    group["SecurityGroupIngress"].append(address_rule(443))


def door_for_every_account(resources: Resources) -> None:
    door = one(resources, "AWS::EC2::VPCEndpoint", "PrivateFunctionsSecretsManager")
    del door["PolicyDocument"]["Statement"][0]["Condition"]


def password_in_a_variable(resources: Resources) -> None:
    worker = one(resources, "AWS::Lambda::Function", "OrderPipelineWorkerFunction")
    worker["Environment"]["Variables"]["PGPASSWORD"] = "{{resolve:secretsmanager:orders:SecretString:password}}"


def chosen_password(resources: Resources) -> None:
    secret = one(resources, "AWS::SecretsManager::Secret", "ShopCache")
    del secret["GenerateSecretString"]


def clear_text(resources: Resources) -> None:
    one(resources, "AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] = "0"


def another_parameter_group(resources: Resources) -> None:
    database(resources)["DBParameterGroupName"] = "default.postgres16"


def early_switch(resources: Resources) -> None:
    name = id_of(resources, "AWS::SSM::Parameter", "StorefrontSwitch")
    resources[name]["DependsOn"] = [entry for entry in resources[name]["DependsOn"] if "Schema" not in entry]


def orders_stay(resources: Resources) -> None:
    value = one(resources, "AWS::SSM::Parameter", "StorefrontSwitch")["Value"]["Fn::Join"][1]
    value[0] = value[0].replace("postgresql", "dynamodb", 1)


def a_crowd_of_workers(resources: Resources) -> None:
    mapping(resources, "OrderPipelineWorker")["ScalingConfig"]["MaximumConcurrency"] = 50


def a_day_of_backups(resources: Resources) -> None:
    database(resources)["BackupRetentionPeriod"] = 1


def bare_disk(resources: Resources) -> None:
    database(resources)["StorageEncrypted"] = False


def unwatched_replica(resources: Resources) -> None:
    replica = {**database(resources), "SourceDBInstanceIdentifier": "brew-haven-orders"}
    resources["OrderDatabaseReplica"] = {"Type": "AWS::RDS::DBInstance", "Properties": replica}


def cache_in_clear_text(resources: Resources) -> None:
    cache(resources)["TransitEncryptionMode"] = "preferred"


def default_user(resources: Resources) -> None:
    one(resources, "AWS::ElastiCache::User", "ShopCacheDefault")["AccessString"] = "on ~* +@all"


def almighty_user(resources: Resources) -> None:
    one(resources, "AWS::ElastiCache::User", "ShopCacheShop")["AccessString"] = "on ~shop:* +@all"


def cache_for_a_range(resources: Resources) -> None:
    one(resources, "AWS::EC2::SecurityGroup", "ShopCache")["SecurityGroupIngress"] = [address_rule(6379)]


def hidden_for_too_short(resources: Resources) -> None:
    queue(resources, "OrderSubscribersBoardQueue")["VisibilityTimeout"] = 20


def no_redrive(resources: Resources) -> None:
    del queue(resources, "OrderPipelineOrdersQueue")["RedrivePolicy"]


def endless_tries(resources: Resources) -> None:
    queue(resources, "OrderPipelineOrdersQueue")["RedrivePolicy"]["maxReceiveCount"] = 500


def forgetful_dead_letters(resources: Resources) -> None:
    queue(resources, "OrderPipelineOrdersDeadLetters")["MessageRetentionPeriod"] = 3600


def whole_batches(resources: Resources) -> None:
    del mapping(resources, "OrderSubscribersLoyalty")["FunctionResponseTypes"]


def no_bound(resources: Resources) -> None:
    del mapping(resources, "OrderSubscribersLoyalty")["ScalingConfig"]


def switched_off(resources: Resources) -> None:
    mapping(resources, "OrderSubscribersBoard")["Enabled"] = False


def little_memory(resources: Resources) -> None:
    one(resources, "AWS::Lambda::Function", "OrderPipelineWorkerFunction")["MemorySize"] = 128


def lost_when_undelivered(resources: Resources) -> None:
    del one(resources, "AWS::SNS::Subscription", "OrderSubscribersBoard")["RedrivePolicy"]


def sns_shut_out(resources: Resources) -> None:
    policy = one(resources, "AWS::SQS::QueuePolicy", "OrderSubscribersUndelivered")["PolicyDocument"]
    policy["Statement"] = [entry for entry in policy["Statement"] if entry["Effect"] == "Deny"]


def no_filter(resources: Resources) -> None:
    del one(resources, "AWS::SNS::Subscription", "OrderSubscribersBoard")["FilterPolicy"]


def another_word(resources: Resources) -> None:
    one(resources, "AWS::SNS::Subscription", "OrderSubscribersBoard")["FilterPolicy"] = {"type": ["order.created"]}


def publishes_anywhere(resources: Resources) -> None:
    policy = one(resources, "AWS::IAM::Policy", "OrderSubscribersNotification")["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"})


def unheard_alarm(resources: Resources) -> None:
    alarm(resources, "OrderPipelineOrdersTooOld")["AlarmActions"] = []


def alarm_on_nothing(resources: Resources) -> None:
    alarm(resources, "OrderPipelineOrdersTooOld")["MetricName"] = "AgeOfOldestMessage"


def alarm_of_another_stack(resources: Resources) -> None:
    alarm(resources, "OrderPipelineOrdersTooOld")["Dimensions"][0]["Value"] = "orders"


def alarms_shut_out(resources: Resources) -> None:
    policy = one(resources, "AWS::SNS::TopicPolicy", "StaffAlarms")["PolicyDocument"]
    policy["Statement"] = [entry for entry in policy["Statement"] if entry["Effect"] == "Deny"]


def endless_log(resources: Resources) -> None:
    del one(resources, "AWS::Logs::LogGroup", "OrderPipelineWorker")["RetentionInDays"]


def log_of_its_own(resources: Resources) -> None:
    del one(resources, "AWS::Lambda::Function", "OrderSubscribersBoardFunction")["LoggingConfig"]


def another_namespace(resources: Resources) -> None:
    for body in resources.values():
        if body["Type"] == "AWS::Lambda::Function" and "Environment" in body["Properties"]:
            variables = body["Properties"]["Environment"]["Variables"]
            if "POWERTOOLS_METRICS_NAMESPACE" in variables:
                variables["POWERTOOLS_METRICS_NAMESPACE"] = "CoffeeShop"


def every_object(resources: Resources) -> None:
    one(resources, "AWS::Events::Rule")["EventPattern"]["detail"]["object"]["key"] = [{"prefix": "media/"}]


def rule_without_a_net(resources: Resources) -> None:
    del one(resources, "AWS::Events::Rule")["Targets"][0]["DeadLetterConfig"]


BREAKS: list[tuple[str, Break, str]] = [
    ("database-private", public_database, "has a public address"),
    ("database-private", database_for_a_range, "lets in 10.0.0.0/8"),
    ("database-private", database_with_another_door, "opens the ports 22-5432"),
    ("endpoints-guarded", doors_for_a_range, "lets in 10.0.0.0/8"),
    ("endpoints-guarded", door_for_every_account, "lets everything through"),
    ("secret-by-role", password_in_a_variable, "OrderPipelineWorkerFunction"),
    ("secret-by-role", chosen_password, "was chosen and not generated"),
    ("tls-forced", clear_text, "rds.force_ssl is 0"),
    ("tls-forced", another_parameter_group, "does not use the parameter group"),
    ("orders-moved", early_switch, "does not wait for Custom::Trigger"),
    ("orders-moved", orders_stay, "does not send its orders to postgresql"),
    ("connections-bounded", a_crowd_of_workers, "may want 114 connections"),
    ("database-backed-up", a_day_of_backups, "for 1 day(s)"),
    ("database-backed-up", bare_disk, "is not encrypted"),
    ("replica-watched", unwatched_replica, "OrderDatabaseReplica may fall behind"),
    ("cache-guarded", cache_in_clear_text, "in clear text (its mode is preferred)"),
    ("cache-guarded", default_user, "the user `default` of the cache is on"),
    ("cache-guarded", almighty_user, "may more than the shop needs"),
    ("cache-guarded", cache_for_a_range, "lets in 10.0.0.0/8"),
    ("queue-visibility", hidden_for_too_short, "hides it for 20 s, its function may take 10 s"),
    ("dead-letters-kept", no_redrive, "cannot get rid of is tried until it expires"),
    ("dead-letters-kept", endless_tries, "(500)"),
    ("dead-letters-kept", forgetful_dead_letters, "are kept no longer than the queue keeps a message"),
    ("workers-bounded", whole_batches, "brings back the whole batch of OrderSubscribersLoyalty"),
    ("workers-bounded", no_bound, "any number of OrderSubscribersLoyalty"),
    ("workers-bounded", switched_off, "its event source is off"),
    ("cold-start-measured", little_memory, "has 128 MB"),
    ("undelivered-kept", lost_when_undelivered, "OrderSubscribersBoard"),
    ("undelivered-kept", sns_shut_out, "does not let SNS in"),
    ("filters-choose", no_filter, "hears of every event"),
    ("filters-choose", another_word, "waits for order.created, which nobody announces"),
    ("push-gone-phone", publishes_anywhere, "may publish to other places, too"),
    ("alarms-watch", unheard_alarm, "tells nobody"),
    ("alarms-watch", alarm_on_nothing, "AWS/SQS AgeOfOldestMessage, which nobody publishes"),
    ("alarms-watch", alarm_of_another_stack, "is not in this stack"),
    ("alarms-watch", alarms_shut_out, "does not let CloudWatch publish"),
    ("logs-expire", endless_log, "keeps its lines for ever"),
    ("logs-expire", log_of_its_own, "makes a log group of its own"),
    ("metrics-arrive", another_namespace, "the dashboard shows another name"),
    ("picture-accepted", every_object, "does not listen to new objects under"),
    ("picture-accepted", rule_without_a_net, "is lost"),
]


def failures(stack: Template, declared: CheckList, break_it: Break) -> dict[str, str]:
    broken = copy.deepcopy(stack.body)
    break_it(broken["Resources"])
    found = Template(stack.stack, broken, {**stack.beside, stack.stack: broken})
    report = verify.run("2", list(declared), template=found)
    return {finding.check: finding.what for finding in report.findings if not finding.passed}


def test_the_stack_as_it_is_passes(stack: Template, declared: CheckList) -> None:
    report = verify.run("2", list(declared), template=stack)
    assert [finding.what for finding in report.findings if not finding.passed] == []


@pytest.mark.parametrize(
    "switches",
    [
        {"database_proxy": "true"},
        {"database_replica": "true"},
        {"database_snapshot": "orders-of-friday"},
        {"database_multi_az": "true", "worker_reserved_concurrency": "5", "email_sender": "shop@example.com"},
        {"storefront": "ec2"},
        {"student": "s01"},
    ],
    ids=",".join,
)
def test_every_variant_passes(declared: CheckList, switches: dict[str, str]) -> None:
    found = template.synthesize(switches, account="111122223333", region="us-east-1")
    report = verify.run("2", list(declared), template=next(one for name, one in found.items() if STACK in name))
    assert [finding.what for finding in report.findings if not finding.passed] == []
    assert len(report.findings) == len([check for check in declared if check.template])


@pytest.mark.parametrize("step", range(1, 7))
def test_each_lesson_passes_the_checks_so_far(declared: CheckList, step: int) -> None:
    found = template.synthesize({"lesson": f"2.{step}"}, account="111122223333", region="us-east-1")
    report = verify.run(f"2.{step}", verify.chosen(declared, through=(2, step)), template=found[STACK])
    assert [finding.what for finding in report.findings if not finding.passed] == []
    assert report.findings


def test_every_template_check_has_a_break(declared: CheckList) -> None:
    broken = {check for check, _, _ in BREAKS} | {"paths-complete"}  # whose break is below
    assert broken == {check.id for check in declared if check.template}


@pytest.mark.parametrize(("check", "break_it", "said"), BREAKS, ids=[f.__name__ for _, f, _ in BREAKS])
def test_a_broken_stack_fails_exactly_one_check(
    stack: Template, declared: CheckList, check: str, break_it: Break, said: str
) -> None:
    failed = failures(stack, declared, break_it)
    assert list(failed) == [check]
    assert said in failed[check]


def test_a_missing_endpoint_is_a_missing_path_and_a_missing_door(stack: Template, declared: CheckList) -> None:
    failed = failures(stack, declared, no_way_to_sns)
    assert sorted(failed) == ["endpoints-guarded", "paths-complete"]
    assert "sns" in failed["paths-complete"]
