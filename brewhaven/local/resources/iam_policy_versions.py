"""IAM: another version of a managed policy becomes the one that counts."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction


@correction
def a_version_becomes_the_default() -> None:
    """SetDefaultPolicyVersion, with which a bad change of a policy is taken back; the emulator has no such action.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html
    """
    from ministack.services import iam

    def set_default(parameters: dict[str, Any]) -> Any:
        arn, wanted = iam._p(parameters, "PolicyArn"), iam._p(parameters, "VersionId")
        policy = iam._policies.get(arn)
        if policy is None:
            return iam._error(404, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", ns="iam")
        if wanted not in policy["Versions"]:
            return iam._error(
                404, "NoSuchEntity", f"Policy {arn} version {wanted} does not exist or is not attachable.", ns="iam"
            )
        for name, version in policy["Versions"].items():
            version["IsDefaultVersion"] = name == wanted
        policy["DefaultVersionId"] = wanted
        policy["UpdateDate"] = iam._now()
        return iam._xml(200, "SetDefaultPolicyVersionResponse", "", ns="iam")

    iam._IAM_HANDLERS["SetDefaultPolicyVersion"] = set_default
