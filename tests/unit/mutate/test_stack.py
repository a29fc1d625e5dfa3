"""The same mistake in another stack: where the construct is the same, and nowhere else."""

from __future__ import annotations

from typing import Any

from brewhaven.mutate.mutants import mutants
from brewhaven.mutate.stack import Mutant
from tests.unit.mutate.stacks import alone, shop

WHOLE = shop()


def mistake(name: str) -> Mutant:
    (found,) = [mutant for mutant in mutants(WHOLE) if mutant.id == name]
    return found


def resources(body: dict[str, Any] | None) -> dict[str, Any]:
    assert body is not None
    found: dict[str, Any] = body["Resources"]
    return found


def test_it_is_made_where_it_was_thought_of_and_nothing_else_changes() -> None:
    made = resources(WHOLE.with_mistake(mistake("Catalog/Table/Resource BillingMode: left out"), WHOLE))
    assert made["TableA1"]["Properties"].keys() == {"Tags"}
    del made["TableA1"]
    assert all(WHOLE.resources[name] == body for name, body in made.items())
    assert WHOLE.resources == shop().resources, "the stack itself stays as it is"


def test_a_construct_alone_has_it_under_another_id() -> None:
    made = resources(alone().with_mistake(mistake("Catalog/Table/Resource BillingMode: PROVISIONED"), WHOLE))
    assert made["MenuTableX9"]["Properties"]["BillingMode"] == "PROVISIONED"


def test_a_value_that_was_handed_in_is_no_mistake_of_the_construct() -> None:
    other = alone(BillingMode="PROVISIONED")
    assert other.with_mistake(mistake("Catalog/Table/Resource BillingMode: PROVISIONED"), WHOLE) is None
    assert other.with_mistake(mistake("Catalog/Table/Resource BillingMode: left out"), WHOLE) is not None


def test_a_stack_without_the_construct_or_the_property_has_no_mistake() -> None:
    assert alone().with_mistake(mistake("Door/SecurityGroup/Resource SecurityGroupIngress: left out"), WHOLE) is None
    assert alone().with_mistake(mistake("TableName: left out"), WHOLE) is None


def test_who_waited_for_a_resource_that_is_gone_waits_no_more() -> None:
    made = resources(WHOLE.with_mistake(mistake("Catalog/Role/DefaultPolicy/Resource: left out"), WHOLE))
    assert "PolicyC1" not in made
    assert made["GroupD1"]["DependsOn"] == ["RoleB1"]


def test_an_element_of_a_list_is_found_where_it_stands_in_the_other_stack() -> None:
    whole = shop()
    group = whole.resources["GroupD1"]["Properties"]
    group["SecurityGroupIngress"] = [{"CidrIp": "10.0.0.0/8"}, *group["SecurityGroupIngress"]]
    made = resources(whole.with_mistake(mistake("Door/SecurityGroup/Resource SecurityGroupIngress.1: left out"), WHOLE))
    left = made["GroupD1"]["Properties"]["SecurityGroupIngress"]
    assert [rule["CidrIp"] for rule in left] == ["10.0.0.0/8", "203.0.113.0/24"]


def test_a_reference_goes_to_the_other_resource_of_that_stack() -> None:
    wrong = Mutant(
        id="wrong role",
        maker="Catalog/Role/DefaultPolicy/Resource",
        type="AWS::IAM::Policy",
        path=("Properties", "Roles", 0),
        operator="reference",
        value={"Ref": "TableA1"},
    )
    made = resources(alone().with_mistake(wrong, WHOLE))
    assert made["MenuPolicyX9"]["Properties"]["Roles"] == [{"Ref": "MenuTableX9"}]
