"""Secrets Manager: a secret's ``Ref`` is its ARN, by which the CDK names it in policies and environments."""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import wrap_handler
from brewhaven.local.registry import Created, Properties, correction

_TYPE = "AWS::SecretsManager::Secret"


def _name_of(physical_id: str) -> str:
    """The emulator's key of a secret, from its ARN."""
    from ministack.services import secretsmanager

    key, _secret = secretsmanager._resolve(physical_id)
    return str(key) if key else physical_id


@correction
def ref_of_a_secret_is_its_arn() -> None:
    """On AWS ``Ref`` of a secret gives the ARN; the emulator gives the name, so that every grant on it matches nothing.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
    """

    def by_arn(original: Any) -> Any:
        def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
            _name, attributes = original(logical_id, properties, stack_name)
            return attributes["Id"], attributes

        return create

    def update_by_name(original: Any) -> Any:
        def update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Created:
            _name, attributes = original(_name_of(physical_id), old, new, *rest)
            return physical_id, {**attributes, "Id": physical_id, "Arn": physical_id}

        return update

    def delete_by_name(original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            original(_name_of(physical_id), properties)

        return delete

    wrap_handler(_TYPE, "create", by_arn)
    wrap_handler(_TYPE, "update", update_by_name)
    wrap_handler(_TYPE, "delete", delete_by_name)
