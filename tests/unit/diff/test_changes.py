"""What CloudFormation replaces, what is lost with it, and what was only renamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewhaven.diff import schemas
from brewhaven.diff.match import renames
from brewhaven.diff.model import Comparison
from tests.unit.diff.sides import resource, side

Difference = Callable[[Any, Any], Comparison]
TABLE = "AWS::DynamoDB::Table"
KEY = [{"AttributeName": "id", "KeyType": "HASH"}]
OTHER_KEY = [{"AttributeName": "pk", "KeyType": "HASH"}]


def table(path: str = "Orders/Table", key: Any = KEY, **attributes: Any) -> dict[str, Any]:
    return resource(TABLE, path, {"KeySchema": key}, **attributes)


def test_equal_sides_do_not_differ(difference: Difference) -> None:
    found = difference({"A": table()}, {"A": table()})
    assert not found.differs
    assert found.resources == ()


def test_a_changed_key_replaces_the_table_and_loses_its_items(difference: Difference) -> None:
    (change,) = difference({"A": table()}, {"A": table(key=OTHER_KEY, DeletionPolicy="Delete")}).resources
    assert change.replacement == "yes"
    assert change.because == ("KeySchema cannot be changed in place",)
    assert change.holds == "the items of the table"
    assert change.fate == "deleted"


@pytest.mark.parametrize(
    ("policy", "fate"), [("Retain", "kept"), ("Delete", "deleted"), ("Snapshot", "deleted after a snapshot")]
)
def test_the_policy_of_the_old_template_decides_what_becomes_of_it(
    difference: Difference, policy: str, fate: str
) -> None:
    before = {"A": table(UpdateReplacePolicy=policy)}
    (change,) = difference(before, {"A": table(key=OTHER_KEY, UpdateReplacePolicy="Retain")}).resources
    assert change.fate == fate


def test_a_removed_database_leaves_a_snapshot_without_any_policy(difference: Difference) -> None:
    database = resource("AWS::RDS::DBInstance", "Db", {"Engine": "postgres"})
    (change,) = difference({"A": database}, {}).resources
    assert (change.kind, change.fate, change.holds) == ("removed", "deleted after a snapshot", "the database")


@pytest.mark.parametrize(
    ("type_", "path", "answer"),
    [
        (TABLE, "KeySchema", "yes"),
        (TABLE, "TableName", "yes"),
        (TABLE, "BillingMode", "no"),
        ("AWS::DynamoDB::GlobalTable", "KeySchema[0].AttributeName", "yes"),
        ("AWS::EC2::Instance", "ImageId", "yes"),
        ("AWS::EC2::Instance", "UserData", "maybe"),
        ("AWS::ECS::TaskDefinition", "ContainerDefinitions[0].Image", "yes"),
        ("AWS::Lambda::Function", "Environment.Variables.NAME", "no"),
        ("Custom::Anything", "ServiceToken", "no"),
    ],
)
def test_replacement_is_known_from_the_registry(type_: str, path: str, answer: str) -> None:
    assert schemas.replaces(type_, path) == answer


def test_what_cannot_change_its_reference_is_replaced_too(difference: Difference) -> None:
    def group(description: str) -> dict[str, Any]:
        return {
            "Group": resource("AWS::EC2::SecurityGroup", "Group", {"GroupDescription": description}),
            "Rule": resource(
                "AWS::EC2::SecurityGroupIngress",
                "Rule",
                {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp"},
            ),
        }

    found = {change.resource.logical_id: change for change in difference(group("old"), group("new")).resources}
    assert found["Group"].replacement == "yes"
    assert found["Rule"].replacement == "yes"
    assert found["Rule"].because == ("GroupId names Group, which is replaced",)


def test_a_fixed_name_is_said_to_stop_the_replacement(difference: Difference) -> None:
    def named(key: Any) -> dict[str, Any]:
        return {"A": resource(TABLE, "Orders", {"KeySchema": key, "TableName": "orders"})}

    (change,) = difference(named(KEY), named(OTHER_KEY)).resources
    assert any("fixed TableName" in reason for reason in change.because)


def test_another_type_under_the_same_logical_id_is_said_to_be_refused(difference: Difference) -> None:
    found = difference({"A": table()}, {"A": resource("AWS::S3::Bucket", "Orders/Table")}).resources
    assert [change.kind for change in found] == ["removed", "added"]
    assert any("CloudFormation refuses" in reason for reason in found[1].because)


def test_members_of_a_list_are_told_apart_by_their_name(difference: Difference) -> None:
    def indexed(*names: str) -> dict[str, Any]:
        return {"A": resource(TABLE, "T", {"GlobalSecondaryIndexes": [{"IndexName": name} for name in names]})}

    (change,) = difference(indexed("One", "Two"), indexed("Zero", "One", "Two")).resources
    assert [one.path for one in change.properties] == ["Properties.GlobalSecondaryIndexes[Zero]"]
    assert change.properties[0].kind == "added"


def test_only_the_order_of_a_list_is_still_a_change(difference: Difference) -> None:
    def bucket(*names: str) -> dict[str, Any]:
        return {"A": resource("AWS::EC2::VPCEndpoint", "E", {"SubnetIds": list(names)})}

    (change,) = difference(bucket("a", "b"), bucket("b", "a")).resources
    assert [one.path for one in change.properties] == ["Properties.SubnetIds"]


def test_attributes_beside_the_properties_are_compared(difference: Difference) -> None:
    (change,) = difference({"A": table(DeletionPolicy="Delete")}, {"A": table(DeletionPolicy="Retain")}).resources
    assert [(one.path, one.before, one.after) for one in change.properties] == [("DeletionPolicy", "Delete", "Retain")]
    assert change.replacement == "no"


def test_parameters_conditions_and_the_description_are_compared(difference: Difference) -> None:
    before = side({}, Description="old", Parameters={"Size": {"Default": 1}}, Conditions={"Big": True})
    after = side({}, Description="new", Parameters={"Size": {"Default": 2}}, Mappings={"Zone": {"a": {}}})
    found = {(change.section, change.name, change.kind) for change in difference(before, after).sections}
    assert found == {
        ("Description", "", "changed"),
        ("Parameters", "Size", "changed"),
        ("Conditions", "Big", "removed"),
        ("Mappings", "Zone", "added"),
    }


# Renames


def shop(table_id: str, name: str) -> dict[str, Any]:
    """A table, a policy that names it, and a function that the policy is for."""
    return {
        table_id: table(f"{name}/Table", DeletionPolicy="Delete"),
        f"{name}Policy": resource(
            "AWS::IAM::Policy",
            f"{name}/Policy",
            {"PolicyDocument": {"Statement": [{"Action": "dynamodb:GetItem", "Resource": {"Ref": table_id}}]}},
        ),
        "Function": resource("AWS::Lambda::Function", "Fn", {"Environment": {"Variables": {"T": {"Ref": table_id}}}}),
    }


def test_a_renamed_construct_is_one_change_of_each_of_its_resources(difference: Difference) -> None:
    found = difference(shop("Orders1", "Orders"), shop("Sales2", "Sales"))
    kinds = {change.resource.logical_id: change.kind for change in found.resources}
    assert kinds == {"Sales2": "renamed", "SalesPolicy": "renamed", "Function": "changed"}
    moved = next(change for change in found.resources if change.resource.logical_id == "Sales2")
    assert moved.before is not None
    assert moved.before.logical_id == "Orders1"
    assert (moved.replacement, moved.fate, moved.holds) == ("yes", "deleted", "the items of the table")


def test_what_only_names_the_renamed_follows_it(difference: Difference) -> None:
    found = difference(shop("Orders1", "Orders"), shop("Sales2", "Sales"))
    function = next(change for change in found.resources if change.resource.logical_id == "Function")
    assert function.follows
    assert found.count("changed") == 0


def test_a_rename_with_a_change_says_both(difference: Difference) -> None:
    before = {"A1": resource(TABLE, "Orders/Table", {"KeySchema": KEY, "BillingMode": "X", "Tags": [], "Other": 1})}
    after = {"B2": resource(TABLE, "Sales/Table", {"KeySchema": KEY, "BillingMode": "Y", "Tags": [], "Other": 1})}
    (change,) = difference(before, after).resources
    assert change.kind == "renamed"
    assert [one.path for one in change.properties] == ["Properties.BillingMode"]


def test_the_nearest_path_wins_among_equal_resources() -> None:
    def queues(first: str, second: str) -> Any:
        return side(
            {first: resource("AWS::SQS::Queue", f"{first}/Queue"), second: resource("AWS::SQS::Queue", f"{second}/Q")}
        ).stacks["Shop"]

    found = renames(queues("OrderQueue", "MailQueue"), queues("NewOrderQueue", "NewMailQueue"))
    assert found == {"OrderQueue": "NewOrderQueue", "MailQueue": "NewMailQueue"}


def test_unlike_resources_are_not_taken_for_renamed(difference: Difference) -> None:
    before = {"A": resource("AWS::SQS::Queue", "Tickets/Queue", {"VisibilityTimeout": 30, "FifoQueue": True})}
    after = {"B": resource("AWS::SQS::Queue", "Mail/Dead", {"DelaySeconds": 5, "MessageRetentionPeriod": 60})}
    assert {change.kind for change in difference(before, after).resources} == {"added", "removed"}


def test_equal_and_telling_properties_are_enough_whatever_the_path(difference: Difference) -> None:
    settings = {"VisibilityTimeout": 45, "FifoQueue": True, "KmsMasterKeyId": "k", "DelaySeconds": 7}
    before = {"A": resource("AWS::SQS::Queue", "Tickets", settings)}
    after = {"B": resource("AWS::SQS::Queue", "Kitchen/Printer/Jobs", settings)}
    assert [change.kind for change in difference(before, after).resources] == ["renamed"]


def test_two_queues_without_properties_are_just_queues(difference: Difference) -> None:
    before = {"A": resource("AWS::SQS::Queue", "Tickets")}
    after = {"B": resource("AWS::SQS::Queue", "Kitchen/Printer/Jobs")}
    assert {change.kind for change in difference(before, after).resources} == {"added", "removed"}


def test_a_role_is_not_renamed_when_another_function_takes_the_place(difference: Difference) -> None:
    def function(name: str, code: str, memory: int) -> dict[str, Any]:
        trust = {"Statement": [{"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}
        properties = {"Handler": f"{code}.main", "Code": code, "MemorySize": memory, "Timeout": memory}
        return {
            name: resource("AWS::Lambda::Function", f"{name}/Function", properties),
            f"{name}Role": resource("AWS::IAM::Role", f"{name}/ServiceRole", {"AssumeRolePolicyDocument": trust}),
        }

    found = difference(function("Mail", "mail", 1), function("Menu", "menu", 2)).resources
    assert sorted(change.kind for change in found) == ["added", "added", "removed", "removed"]


def test_the_only_stack_of_each_side_is_compared_whatever_it_is_called(difference: Difference) -> None:
    found = difference(side({"A": table()}, name="Yours"), side({"A": table()}, name="Mine"))
    assert found.resources == ()
    assert found.notes == ("The stack Yours is compared with Mine.",)


def test_a_students_prefix_does_not_make_another_stack(difference: Difference) -> None:
    found = difference(side({"A": table()}, name="s01-BrewHaven-X"), side({"A": table()}, name="BrewHaven-X"))
    assert found.resources == ()
