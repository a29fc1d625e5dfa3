"""EC2: the instance metadata service is told whether it asks for a token."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction

_VALID = {
    "HttpTokens": {"optional", "required"},
    "HttpEndpoint": {"enabled", "disabled"},
    "InstanceMetadataTags": {"enabled", "disabled"},
}


@correction
def metadata_options_can_be_modified() -> None:
    """ModifyInstanceMetadataOptions acts on the running instance at once; the emulator has no such action.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html
    """
    from ministack.services import ec2

    def modify(parameters: dict[str, Any]) -> Any:
        instance = ec2._p(parameters, "InstanceId")
        record = ec2._instances.get(instance)
        if record is None or record["State"]["Name"] == "terminated":
            return ec2._error("InvalidInstanceID.NotFound", f"The instance ID '{instance}' does not exist", 400)
        given = {name: value for name in (*_VALID, "HttpPutResponseHopLimit") if (value := ec2._p(parameters, name))}
        for name, value in given.items():
            if name in _VALID and value not in _VALID[name]:
                return ec2._error("InvalidParameterValue", f"Invalid value '{value}' for {name}", 400)
        record["MetadataOptions"] = {**(record.get("MetadataOptions") or {}), **given}
        options = {"HttpTokens": "required", "HttpEndpoint": "enabled", **record["MetadataOptions"]}
        members = "".join(f"<{k[0].lower()}{k[1:]}>{v}</{k[0].lower()}{k[1:]}>" for k, v in options.items())
        return ec2._xml(
            200,
            "ModifyInstanceMetadataOptionsResponse",
            f"<instanceId>{instance}</instanceId>"
            f"<instanceMetadataOptions><state>pending</state>{members}</instanceMetadataOptions>",
        )

    ec2._ACTION_MAP["ModifyInstanceMetadataOptions"] = modify
