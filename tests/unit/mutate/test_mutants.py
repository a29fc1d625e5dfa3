"""Which mistakes the tool thinks of: each kind, in an order that does not change, and none that means nothing."""

from __future__ import annotations

import pytest

from brewhaven.mutate.mutants import mutants
from brewhaven.mutate.words import instead
from tests.unit.mutate.stacks import shop

IDS = [mutant.id for mutant in mutants(shop())]


@pytest.mark.parametrize(
    "mistake",
    [
        "Catalog/Table/Resource DeletionPolicy: Retain",
        "Catalog/Table/Resource BillingMode: left out",
        "Catalog/Table/Resource BillingMode: PROVISIONED",
        "Catalog/Role/Resource MaxSessionDuration: 7200",
        "Catalog/Role/Resource AssumeRolePolicyDocument.Statement.0.Principal.Service: lambda.amazonaws.com",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Effect: Deny",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Action.1: left out",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Action: dynamodb:*",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Resource: *",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Resource.Fn::Join.1.1: /*",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Condition: left out",
        "Catalog/Role/DefaultPolicy/Resource PolicyDocument.Statement.0.Condition.Null.dynamodb:LeadingKeys: true",
        "Door/SecurityGroup/Resource SecurityGroupIngress: left out",
        "Door/SecurityGroup/Resource SecurityGroupIngress.0: left out",
        "Door/SecurityGroup/Resource SecurityGroupIngress.0.CidrIp: 0.0.0.0/0",
        "Door/SecurityGroup/Resource SecurityGroupIngress.1.CidrIp: 192.0.2.0/24",
        "Door/SecurityGroup/Resource SecurityGroupIngress.0.IpProtocol: -1",
        "Door/SecurityGroup/Resource SecurityGroupIngress.0.FromPort: 160",
        "Door/SecurityGroup/Resource DependsOn.0: left out",
        "Door/SecurityGroup/Resource: left out",
        "TableName: left out",
    ],
)
def test_it_thinks_of(mistake: str) -> None:
    assert IDS.count(mistake) == 1


@pytest.mark.parametrize(
    ("nothing", "why"),
    [
        ("Catalog/Table/Resource Tags", "a label"),
        ("Door/SecurityGroup/Resource GroupDescription", "text for people"),
        ("Catalog/Role/Resource MaxSessionDuration: left out", "an hour is what AWS assumes"),
        ("Helper/Handler", "the CDK's own"),
        ("Catalog/Table/Resource: left out", "CloudFormation refuses it: others refer to the table"),
        ("Door/SecurityGroup/Resource DependsOn.1", "the policy, which it waits for, refers to the role"),
    ],
)
def test_it_leaves_out_what_changes_nothing(nothing: str, why: str) -> None:
    assert [name for name in IDS if name.startswith(nothing)] == [], why


def test_names_are_unique_and_in_the_order_of_the_template() -> None:
    assert len(set(IDS)) == len(IDS)
    assert [mutant.id for mutant in mutants(shop())] == IDS
    assert IDS[0].startswith("Catalog/Table/Resource")
    assert IDS[-1].startswith("TableName")


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (True, False),
        ("false", "true"),
        (0, 1),
        (30, 60),
        ("256", "512"),
        ("10.0.0.0/8", "0.0.0.0/0"),
        ("/health", "/healthx"),
    ],
)
def test_another_value_is_a_likely_slip(value: object, other: object) -> None:
    assert instead(("Properties", "Anything"), value)[1] == other


def test_the_other_of_two_zones_is_the_one_that_exists() -> None:
    assert [instead(("Fn::Select", 0), index)[1] for index in (0, 1)] == [1, 0]
