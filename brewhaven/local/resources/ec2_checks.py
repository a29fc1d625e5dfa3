"""EC2 refuses what does not fit together: subnets outside their VPC, groups in a VPC that is not there."""

from __future__ import annotations

import ipaddress
from typing import Any

from brewhaven.local.emulator import handler_error, wrap_handler
from brewhaven.local.registry import Created, Properties, correction


def require_vpc(vpc_id: Any) -> dict[str, Any]:
    """A VPC's record; raises what EC2 answers where there is none."""
    from ministack.services import ec2

    found: dict[str, Any] | None = ec2._vpcs.get(vpc_id)
    if found is None:
        raise handler_error(f"The vpc ID '{vpc_id}' does not exist", "Ec2", 400, "NotFound")
    return found


def check_subnet(vpc_id: Any, cidr: str) -> None:
    """Raise what CreateSubnet answers for a range that is not free in the VPC.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
    """
    from ministack.services import ec2

    wanted = ipaddress.ip_network(cidr, strict=False)
    whole = ipaddress.ip_network(require_vpc(vpc_id)["CidrBlock"])
    if not 16 <= wanted.prefixlen <= 28 or wanted.version != whole.version or not wanted.subnet_of(whole):  # type: ignore[arg-type]
        raise handler_error(f"The CIDR '{cidr}' is invalid.", "Ec2", 400, "InvalidRequest")
    for subnet in ec2._subnets.values():
        if subnet["VpcId"] == vpc_id and wanted.overlaps(ipaddress.ip_network(subnet["CidrBlock"])):
            raise handler_error(f"The CIDR '{cidr}' conflicts with another subnet", "Ec2", 400, "AlreadyExists")


@correction
def parts_of_a_network_fit() -> None:
    """CloudFormation's creates make the checks of the API; the emulator stores whatever a template says."""
    from ministack.services import ec2

    def subnet(original: Any) -> Any:
        def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
            if properties.get("CidrBlock"):
                check_subnet(properties.get("VpcId"), properties["CidrBlock"])
            made: Created = original(logical_id, properties, stack_name)
            return made

        return create

    def group(original: Any) -> Any:
        def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
            if properties.get("VpcId"):
                require_vpc(properties["VpcId"])
                for known in ec2._security_groups.values():
                    if (known["VpcId"], known["GroupName"]) == (properties["VpcId"], properties.get("GroupName")):
                        sentence = (
                            f"The security group '{known['GroupName']}' already exists for VPC '{known['VpcId']}'"
                        )
                        raise handler_error(sentence, "Ec2", 400, "AlreadyExists")
            made: Created = original(logical_id, properties, stack_name)
            return made

        return create

    wrap_handler("AWS::EC2::Subnet", "create", subnet)
    wrap_handler("AWS::EC2::SecurityGroup", "create", group)
