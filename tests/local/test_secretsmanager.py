"""A secret of a stack: its Ref is its ARN, it can be changed, it goes with the stack (resources/secretsmanager.py)."""

from __future__ import annotations

import json

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def _template(description: str) -> str:
    secret = {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"Description": description, "GenerateSecretString": {"PasswordLength": 40}},
    }
    return json.dumps({"Resources": {"Key": secret}, "Outputs": {"Ref": {"Value": {"Ref": "Key"}}}})


def test_the_ref_of_a_secret_is_its_arn_and_stays_over_an_update(cloud: Cloud) -> None:
    formation, secrets = cloud.client("cloudformation"), cloud.client("secretsmanager")

    def ref() -> str:
        return str(formation.describe_stacks(StackName="keys")["Stacks"][0]["Outputs"][0]["OutputValue"])

    formation.create_stack(StackName="keys", TemplateBody=_template("one"))
    formation.get_waiter("stack_create_complete").wait(StackName="keys", WaiterConfig={"Delay": 1})
    arn = ref()
    assert arn.startswith("arn:aws:secretsmanager:us-east-1:111122223333:secret:")
    value = secrets.get_secret_value(SecretId=arn)["SecretString"]
    assert len(value) == 40

    formation.update_stack(StackName="keys", TemplateBody=_template("two"))
    formation.get_waiter("stack_update_complete").wait(StackName="keys", WaiterConfig={"Delay": 1})
    assert ref() == arn
    assert secrets.describe_secret(SecretId=arn)["Description"] == "two"
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == value

    formation.delete_stack(StackName="keys")
    formation.get_waiter("stack_delete_complete").wait(StackName="keys", WaiterConfig={"Delay": 1})
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=arn)
