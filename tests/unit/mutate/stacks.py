"""Two small stacks: one that is whole, and one in which the same construct stands alone under another name."""

from __future__ import annotations

import copy
import json
from typing import Any

from brewhaven.mutate.stack import Stack

SHOP: dict[str, Any] = {
    "Resources": {
        "TableA1": {
            "Type": "AWS::DynamoDB::GlobalTable",
            "DeletionPolicy": "Delete",
            "Properties": {"BillingMode": "PAY_PER_REQUEST", "Tags": [{"Key": "Name", "Value": "Menu"}]},
        },
        "RoleB1": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "MaxSessionDuration": 3600,
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "ec2.amazonaws.com"},
                        }
                    ]
                },
            },
        },
        "PolicyC1": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
                            "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["TableA1", "Arn"]}, "/index/ByName"]]},
                            "Condition": {"Null": {"dynamodb:LeadingKeys": "false"}},
                        }
                    ]
                },
                "Roles": [{"Ref": "RoleB1"}],
            },
        },
        "GroupD1": {
            "Type": "AWS::EC2::SecurityGroup",
            "DependsOn": ["PolicyC1", "RoleB1"],
            "Properties": {
                "GroupDescription": "The shop",
                "SecurityGroupIngress": [
                    {"CidrIp": "203.0.113.0/24", "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80},
                    {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443},
                ],
            },
        },
        "HelperE1": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 900}},
    },
    "Outputs": {"TableName": {"Value": {"Ref": "TableA1"}}},
}


def shop() -> Stack:
    return Stack(
        name="Shop",
        body=copy.deepcopy(SHOP),
        makers={
            "TableA1": "Catalog/Table/Resource",
            "RoleB1": "Catalog/Role/Resource",
            "PolicyC1": "Catalog/Role/DefaultPolicy/Resource",
            "GroupD1": "Door/SecurityGroup/Resource",
            "HelperE1": "Helper/Handler",
        },
        helpers=frozenset({"HelperE1"}),
    )


def alone(**changes: Any) -> Stack:
    """The construct `Catalog` in a stack of its own, where its resources have other ids."""
    text = json.dumps(SHOP["Resources"])
    for old, new in (("TableA1", "MenuTableX9"), ("RoleB1", "MenuRoleX9"), ("PolicyC1", "MenuPolicyX9")):
        text = text.replace(old, new)
    resources = json.loads(text)
    del resources["GroupD1"], resources["HelperE1"]
    resources["MenuTableX9"]["Properties"].update(changes)
    return Stack(
        name="Alone",
        body={"Resources": resources},
        makers={
            "MenuTableX9": "Catalog/Table/Resource",
            "MenuRoleX9": "Catalog/Role/Resource",
            "MenuPolicyX9": "Catalog/Role/DefaultPolicy/Resource",
        },
    )
