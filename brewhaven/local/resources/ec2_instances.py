"""EC2 instances: the API record as AWS would show it. What runs behind a record is started by whoever listens here.

``ON_RUN`` and ``ON_TERMINATE`` are called with the instance's record after it was launched and before it is terminated,
whether the API or CloudFormation asked for it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections.abc import Callable
from typing import Any

from brewhaven.local.emulator import handler_error, query, succeed, truth, wrap_action
from brewhaven.local.registry import Created, Properties, correction, replace, resource

Record = dict[str, Any]
ON_RUN: list[Callable[[Record], None]] = []
ON_TERMINATE: list[Callable[[Record], None]] = []

_TERMINATION_SECONDS = 60
_AMI_PATH = "/aws/service/ami-amazon-linux-latest/"


def free_address(subnet_id: str) -> str:
    """A private address of the subnet that nothing has yet; AWS keeps the first four and the last for itself."""
    from ministack.services import ec2

    subnet = ec2._subnets[subnet_id]
    network = ipaddress.ip_network(subnet["CidrBlock"])
    taken = {i.get("PrivateIpAddress") for i in (*ec2._instances.values(), *ec2._network_interfaces.values())}
    for _ in range(network.num_addresses):
        address = str(network[4 + secrets.randbelow(network.num_addresses - 5)])
        if address not in taken:
            return address
    raise handler_error(f"There are not enough free addresses in subnet '{subnet_id}'.", "Ec2", 400)


def launch(data: Record, subnet_id: str | None, private_address: str | None) -> Record:
    """Launch one instance from data in the shape of a launch template's ``LaunchTemplateData``."""
    from ministack.services import ec2

    [interface] = (data.get("NetworkInterfaces") or [{}])[:1]
    subnet_id = interface.get("SubnetId") or subnet_id or ec2._DEFAULT_SUBNET_ID
    subnet = ec2._subnets.get(subnet_id)
    if subnet is None:
        raise handler_error(f"The subnet ID '{subnet_id}' does not exist", "Ec2", 400, "NotFound")
    wanted = data.get("IamInstanceProfile") or {}
    profile, refused = ec2._resolve_iam_instance_profile(iam_arn=wanted.get("Arn", ""), iam_name=wanted.get("Name", ""))
    if refused:
        succeed("Ec2", refused)
    groups = interface.get("Groups") or interface.get("GroupSet") or data.get("SecurityGroupIds")
    record: Record
    [record] = ec2._launch_instances_internal(
        image_id=data.get("ImageId", ""),
        instance_type=data.get("InstanceType", "m1.small"),
        subnet_id=subnet_id,
        count=1,
        key_name=data.get("KeyName", ""),
        user_data=data.get("UserData", ""),
        sg_ids=groups or [ec2._vpcs[subnet["VpcId"]].get("DefaultSecurityGroupId", ec2._DEFAULT_SG_ID)],
        requested_private_ip=private_address or free_address(subnet_id),
        iam_profile=profile,
    )
    public = interface.get("AssociatePublicIpAddress", subnet.get("MapPublicIpOnLaunch"))
    record["Placement"]["AvailabilityZone"] = subnet["AvailabilityZone"]
    record["Architecture"] = "arm64" if _is_arm(data.get("InstanceType", "")) else "x86_64"
    record["MetadataOptions"] = data.get("MetadataOptions") or {}
    record["DisableApiTermination"] = truth(data.get("DisableApiTermination"))
    if not truth(public):
        record["PublicIpAddress"] = record["PublicDnsName"] = ""
    else:
        record["PublicDnsName"] = f"ec2-{record['PublicIpAddress'].replace('.', '-')}.compute-1.amazonaws.com"
    specifications = data.get("TagSpecifications") or []
    tags = [tag for spec in specifications if spec.get("ResourceType") == "instance" for tag in spec.get("Tags", [])]
    if tags:
        ec2._tags[record["InstanceId"]] = tags
    for callback in ON_RUN:
        callback(record)
    return record


def _is_arm(instance_type: str) -> bool:
    """Graviton families have a ``g`` after the generation: t4g, m7g, c7gn."""
    family = instance_type.partition(".")[0]
    return "g" in family.lstrip("abcdefghijklmnopqrstuvwxyz") or family == "a1"


def _with_template(data: Record, reference: Record | None) -> Record:
    """Fill in what the request leaves to its launch template; its own values win."""
    from ministack.services import ec2

    template, _, refused = ec2._resolve_launch_template_data(reference or {})
    if refused:
        succeed("Ec2", refused)
    return {**(template or {}), **{key: value for key, value in data.items() if value not in (None, "", [], {})}}


@correction
def instances_follow_template_and_subnet() -> None:
    """RunInstances takes what it is not given from the launch template, and addresses and zone from the subnet.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
    """
    from ministack.core.responses import get_account_id, new_uuid
    from ministack.services import ec2

    from brewhaven.local.emulator import ResourceHandlerError

    def run(_original: Any) -> Any:
        def run_instances(parameters: dict[str, Any]) -> Any:
            prefixed = {f"Run.{key}": value for key, value in parameters.items()}
            reference = {
                key: ec2._p(parameters, f"LaunchTemplate.{key}")
                for key in ("LaunchTemplateId", "LaunchTemplateName", "Version")
            }
            try:
                data = _with_template(ec2._parse_lt_data(prefixed, "Run"), reference)
                if not data.get("ImageId"):
                    return ec2._error("MissingParameter", "The request must contain the parameter ImageId", 400)
                count = max(1, int(ec2._p(parameters, "MaxCount") or "1"))
                subnet, address = ec2._p(parameters, "SubnetId"), ec2._p(parameters, "PrivateIpAddress")
                created = [launch(data, subnet or None, address or None) for _ in range(count)]
            except ResourceHandlerError as error:
                return ec2._error("InvalidParameterValue", str(error).split('"')[1].split(" (Service")[0], 400)
            items = "".join(ec2._instance_xml(record) for record in created)
            inner = (
                f"<instancesSet>{items}</instancesSet><reservationId>r-{new_uuid().replace('-', '')[:17]}"
                f"</reservationId><ownerId>{get_account_id()}</ownerId><groupSet/>"
            )
            return ec2._xml(200, "RunInstancesResponse", inner)

        return run_instances

    def terminate(original: Any) -> Any:
        def terminate_instances(parameters: dict[str, Any]) -> Any:
            ids = [i for i in ec2._parse_member_list(parameters, "InstanceId") if i in ec2._instances]
            for physical_id in ids:
                if ec2._instances[physical_id].get("DisableApiTermination"):
                    return ec2._error(
                        "OperationNotPermitted",
                        f"The instance '{physical_id}' may not be terminated. Modify its 'disableApiTermination' "
                        "instance attribute and try again.",
                        400,
                    )
            for physical_id in ids:
                if ec2._instances[physical_id]["State"]["Name"] != "terminated":
                    for callback in ON_TERMINATE:
                        callback(ec2._instances[physical_id])
            return original(parameters)

        return terminate_instances

    def instance_xml(original: Any) -> Any:
        def render(record: Record) -> str:
            text = str(original(record)).replace("<ipAddress></ipAddress>", "")
            options = {"HttpTokens": "required", "HttpEndpoint": "enabled", **record.get("MetadataOptions", {})}
            members = "".join(f"<{k[0].lower()}{k[1:]}>{v}</{k[0].lower()}{k[1:]}>" for k, v in options.items())
            head, _, _ = text.rpartition("</item>")
            return f"{head}<metadataOptions><state>applied</state>{members}</metadataOptions></item>"

        return render

    wrap_action(ec2, "_ACTION_MAP", "RunInstances", run)
    wrap_action(ec2, "_ACTION_MAP", "TerminateInstances", terminate)
    replace(ec2, "_instance_xml", instance_xml)


@correction
def amazon_linux_images_exist() -> None:
    """Every public parameter of the latest Amazon Linux images answers an image id that exists.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
    """
    from ministack.services import ec2, ssm

    def build(original: Any) -> Any:
        def public_parameter(name: str) -> Any:
            known = original(name)
            image = name.removeprefix(_AMI_PATH)
            if known is not None or image == name or not image.startswith(("al2023-ami-", "amzn2-ami-")):
                return known
            image_id = f"ami-0{hashlib.sha256(image.encode()).hexdigest()[:16]}"
            if all(stub[0] != image_id for stub in ec2._STUB_AMIS):
                ec2._STUB_AMIS.append((image_id, image, "Amazon Linux", "", "/dev/xvda", "137112412989", "amazon"))
            return {
                **original(f"{_AMI_PATH}al2023-ami-kernel-default-x86_64"),
                "Name": name,
                "Value": image_id,
                "ARN": f"arn:aws:ssm:{ssm.get_region()}::parameter{name}",
            }

        return public_parameter

    replace(ssm, "_public_parameter", build)


@resource(
    "AWS::EC2::Instance",
    tags="Tags",
    replaced_by=(
        "AvailabilityZone", "BlockDeviceMappings", "CpuOptions", "ElasticInferenceAccelerators", "EnclaveOptions",
        "HibernationOptions", "ImageId", "KeyName", "LaunchTemplate", "LicenseSpecifications", "NetworkInterfaces",
        "PrivateIpAddress", "SubnetId",
    ),
)  # fmt: skip
class Instance:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-instance.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        profile = properties.get("IamInstanceProfile")
        data = {
            "ImageId": properties.get("ImageId"),
            "InstanceType": properties.get("InstanceType"),
            "KeyName": properties.get("KeyName"),
            "UserData": properties.get("UserData"),
            "SecurityGroupIds": properties.get("SecurityGroupIds"),
            "NetworkInterfaces": properties.get("NetworkInterfaces"),
            "IamInstanceProfile": {"Name": profile} if profile else None,
            "MetadataOptions": properties.get("MetadataOptions"),
            "DisableApiTermination": properties.get("DisableApiTermination"),
        }
        merged = _with_template(data, properties.get("LaunchTemplate"))
        if not merged.get("ImageId"):
            raise handler_error("The request must contain the parameter ImageId", "Ec2", 400, "InvalidRequest")
        record = launch(merged, properties.get("SubnetId"), properties.get("PrivateIpAddress"))
        provisioners._ec2_apply_tags(record["InstanceId"], properties)
        return record["InstanceId"], _attributes(record)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import ec2
        from ministack.services.cloudformation import provisioners

        record = ec2._instances[physical_id]
        if new.get("InstanceType"):
            record["InstanceType"] = new["InstanceType"]
        record["DisableApiTermination"] = truth(new.get("DisableApiTermination"))
        if old.get("UserData") != new.get("UserData"):
            record["UserData"] = new.get("UserData", "")
        if old.get("SecurityGroupIds") != new.get("SecurityGroupIds"):
            record["SecurityGroups"] = [
                {"GroupId": group, "GroupName": ec2._security_groups.get(group, {}).get("GroupName", group)}
                for group in new.get("SecurityGroupIds", [])
            ]
        if old.get("IamInstanceProfile") != new.get("IamInstanceProfile"):
            self._associate(physical_id, new.get("IamInstanceProfile"))
        provisioners._ec2_apply_tags(physical_id, new, old)
        return physical_id, _attributes(record)

    def _associate(self, physical_id: str, profile: str | None) -> None:
        from ministack.services import ec2

        current = ec2._find_active_iam_instance_profile_association(physical_id)
        if current:
            ec2._mark_iam_instance_profile_association_disassociated(current)
        if profile:
            parameters = query(InstanceId=physical_id, IamInstanceProfile={"Name": profile})
            succeed("Ec2", ec2._associate_iam_instance_profile(parameters))

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        record = ec2._instances.get(physical_id)
        answer = ec2._ACTION_MAP["TerminateInstances"](query(InstanceId=[physical_id]))
        succeed("Ec2", answer, ignore=["InvalidInstanceID.NotFound"])
        if record is not None:
            _wait_until_detached(record)


def _wait_until_detached(record: Record) -> None:
    """Wait for the instance's programs to end: until then it holds its subnet and its security groups."""
    from ministack.services import ec2

    address = (record["SubnetId"], record["PrivateIpAddress"])
    deadline = time.monotonic() + _TERMINATION_SECONDS
    while time.monotonic() < deadline:
        interfaces = list(ec2._network_interfaces.values())
        if all((item.get("SubnetId"), item.get("PrivateIpAddress")) != address for item in interfaces):
            return
        time.sleep(0.1)


@correction
def stacks_wait_for_instances() -> None:
    """CloudFormation deletes an instance's subnet and groups only once it has terminated, so its delete waits."""
    from ministack.services.cloudformation import stacks

    def build(original: Any) -> Any:
        return lambda cfn_type: cfn_type == "AWS::EC2::Instance" or original(cfn_type)

    replace(stacks, "_runs_on_worker_thread", build)


def _attributes(record: Record) -> dict[str, Any]:
    return {
        "AvailabilityZone": record["Placement"]["AvailabilityZone"],
        "InstanceId": record["InstanceId"],
        "PrivateDnsName": record["PrivateDnsName"],
        "PrivateIp": record["PrivateIpAddress"],
        "PublicDnsName": record["PublicDnsName"],
        "PublicIp": record["PublicIpAddress"],
        "VpcId": record["VpcId"],
    }
