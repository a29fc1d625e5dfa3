"""EC2 refuses what does not fit together: subnets outside their VPC, groups in a VPC that is not there."""

from __future__ import annotations

import ipaddress
from typing import Any

from brewhaven.local.emulator import handler_error, wrap_handler
from brewhaven.local.registry import Created, Properties, correction


def _vpc(vpc_id: Any) -> dict[str, Any]:
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
    whole = ipaddress.ip_network(_vpc(vpc_id)["CidrBlock"])
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
                _vpc(properties["VpcId"])
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


def _prefix_list(service_name: str) -> str:
    """The AWS managed prefix list of a gateway endpoint's service."""
    from ministack.services import ec2

    return str(ec2._aws_pl_id_from_name(service_name))


def _route(endpoint_id: str, properties: Properties, table_ids: list[str]) -> None:
    """Give each table the endpoint's route, and take it from all others."""
    from ministack.services import ec2

    for table_id, table in ec2._route_tables.items():
        table["Routes"] = [route for route in table["Routes"] if route.get("GatewayId") != endpoint_id]
        if table_id in table_ids:
            route = {"GatewayId": endpoint_id, "State": "active", "Origin": "CreateRoute"}
            table["Routes"].append({"DestinationPrefixListId": _prefix_list(properties["ServiceName"]), **route})


@correction
def gateway_endpoints_are_routes() -> None:
    """A gateway endpoint is a route to the service's prefix list in each of its route tables.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """

    def tables(properties: Properties) -> list[str]:
        gateway = properties.get("VpcEndpointType", "Gateway") == "Gateway"
        return list(properties.get("RouteTableIds") or []) if gateway else []

    def create(original: Any) -> Any:
        def handler(logical_id: str, properties: Properties, stack_name: str) -> Created:
            _vpc(properties.get("VpcId"))
            made: Created = original(logical_id, properties, stack_name)
            _route(made[0], properties, tables(properties))
            return made

        return handler

    def update(original: Any) -> Any:
        def handler(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Created:
            changed: Created = original(physical_id, old, new, *rest)
            _route(changed[0], new, tables(new))
            return changed

        return handler

    def delete(original: Any) -> Any:
        def handler(physical_id: str, properties: Properties) -> None:
            _route(physical_id, properties, [])
            original(physical_id, properties)

        return handler

    wrap_handler("AWS::EC2::VPCEndpoint", "create", create)
    wrap_handler("AWS::EC2::VPCEndpoint", "update", update)
    wrap_handler("AWS::EC2::VPCEndpoint", "delete", delete)
