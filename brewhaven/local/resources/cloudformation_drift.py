"""Drift detection finds what CloudFormation made, under the identifiers it gives here."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction


@correction
def drift_finds_secrets_and_global_tables() -> None:
    """A secret's physical id is its ARN, and CDK's tables are global tables.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
    """
    from ministack.services import dynamodb, secretsmanager
    from ministack.services.cloudformation import drift

    secret, properties = drift._DRIFT_READERS["AWS::SecretsManager::Secret"]

    def read_secret(physical_id: str, wanted: dict[str, Any]) -> Any:
        key, _ = secretsmanager._resolve(physical_id)
        return secret(key or physical_id, wanted)

    def read_table(physical_id: str, wanted: dict[str, Any]) -> Any:
        table = dynamodb._tables.get(physical_id)
        if table is None:
            return None
        mode = (table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED")
        return {"TableName": physical_id, "BillingMode": mode, "KeySchema": table["KeySchema"]}

    drift._DRIFT_READERS["AWS::SecretsManager::Secret"] = (read_secret, properties)
    drift._DRIFT_READERS["AWS::DynamoDB::GlobalTable"] = (
        read_table,
        frozenset({"TableName", "BillingMode", "KeySchema"}),
    )
