"""Secrets Manager: a secret's ``Ref`` is its ARN, by which the CDK names it in policies and environments."""

from __future__ import annotations

import json
from typing import Any

from brewhaven.local.emulator import succeed, truth, wrap_handler
from brewhaven.local.registry import Created, Properties, correction, replace

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


@correction
def generated_secrets_follow_the_template() -> None:
    """``GenerateSecretString`` draws as GetRandomPassword does; the emulator knows only length and excluded characters.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-generatesecretstring.html
    """
    from ministack.services import secretsmanager
    from ministack.services.cloudformation import provisioners

    switches = (
        "ExcludeLowercase", "ExcludeNumbers", "ExcludePunctuation", "ExcludeUppercase", "IncludeSpace",
        "RequireEachIncludedType",
    )  # fmt: skip

    def build(original: Any) -> Any:
        def secret_string(properties: Properties) -> str:
            wanted = properties.get("GenerateSecretString")
            if not wanted or properties.get("SecretString"):
                return str(original(properties))
            request: dict[str, Any] = {"PasswordLength": int(wanted.get("PasswordLength", 32))}
            request["ExcludeCharacters"] = wanted.get("ExcludeCharacters", "")
            request |= {name: truth(wanted[name]) for name in switches if name in wanted}
            answer = succeed("SecretsManager", secretsmanager._get_random_password(request))
            generated = str(json.loads(answer)["RandomPassword"])
            if not wanted.get("SecretStringTemplate"):
                return generated
            template = json.loads(wanted["SecretStringTemplate"])
            return json.dumps({**template, wanted["GenerateStringKey"]: generated})

        return secret_string

    replace(provisioners, "_sm_secret_string", build)


@correction
def attached_secrets_name_their_instance() -> None:
    """A secret that is attached to a database says which it is: ``dbInstanceIdentifier``.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    """
    from ministack.services.cloudformation import provisioners

    def build(original: Any) -> Any:
        def connection(target_type: str, target_id: str) -> dict[str, Any]:
            found: dict[str, Any] = original(target_type, target_id)
            key = "dbInstanceIdentifier" if target_type.endswith("DBInstance") else "dbClusterIdentifier"
            return {**found, key: target_id}

        return connection

    replace(provisioners, "_sm_target_connection", build)
    replace(provisioners, "_SM_TARGET_KEYS", lambda keys: (*keys, "dbInstanceIdentifier", "dbClusterIdentifier"))
