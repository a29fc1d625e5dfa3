"""EC2 refuses to delete what is in use, also when another stack uses it: DependencyViolation.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from brewhaven.local.emulator import query, succeed, wrap_action, wrap_handler
from brewhaven.local.registry import Properties, correction


def _interfaces() -> Iterator[tuple[str, list[str], list[str]]]:
    """Everything that has a network interface on AWS: what it is, its subnets, its security groups."""
    from ministack.services import alb, ec2, ecs, elasticache, lambda_svc, rds

    for key, instance in ec2._instances.items():
        if instance["State"]["Name"] != "terminated":
            yield key, [instance["SubnetId"]], [group["GroupId"] for group in instance["SecurityGroups"]]
    for key, gateway in ec2._nat_gateways.items():
        if gateway["State"] != "deleted":
            yield key, [gateway["SubnetId"]], []
    for key, endpoint in ec2._vpc_endpoints.items():
        yield key, endpoint.get("SubnetIds", []), endpoint.get("SecurityGroupIds", [])
    for key, interface in ec2._network_interfaces.items():
        groups = [g["GroupId"] if isinstance(g, dict) else g for g in interface.get("Groups", [])]
        yield key, [interface.get("SubnetId", "")], groups
    for key, balancer in alb._lbs.items():
        yield key, balancer.get("Subnets", []), balancer.get("SecurityGroups", [])
    for key, service in ecs._services.items():
        if service.get("status") == "ACTIVE":
            network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration", {})
            yield key, network.get("subnets", []), network.get("securityGroups", [])
    for key, function in lambda_svc._functions.items():
        vpc = function["config"].get("VpcConfig") or {}
        yield key, vpc.get("SubnetIds", []), vpc.get("SecurityGroupIds", [])
    for key, database in rds._instances.items():
        groups = [group["VpcSecurityGroupId"] for group in database.get("VpcSecurityGroups", [])]
        zones = (database.get("DBSubnetGroup") or {}).get("Subnets", [])
        yield key, [zone["SubnetIdentifier"] for zone in zones], groups
    for key, cluster in elasticache._clusters.items():
        groups = [group["SecurityGroupId"] for group in cluster.get("SecurityGroups", [])]
        yield key, [], groups


def _group_is_used(group_id: str) -> bool:
    from ministack.services import ec2

    if any(group_id in groups for _, _, groups in _interfaces()):
        return True
    for other, group in ec2._security_groups.items():
        rules = group.get("IpPermissions", []) + group.get("IpPermissionsEgress", [])
        if other != group_id and any(
            pair.get("GroupId") == group_id for rule in rules for pair in rule.get("UserIdGroupPairs", [])
        ):
            return True
    return False


def _subnet_is_used(subnet_id: str) -> bool:
    return any(subnet_id in subnets for _, subnets, _ in _interfaces())


def _gateway_is_used(gateway_id: str) -> bool:
    from ministack.services import ec2

    return bool(ec2._internet_gateways[gateway_id].get("Attachments"))


def _table_is_used(table_id: str) -> bool:
    from ministack.services import ec2

    return bool(ec2._route_tables[table_id]["Associations"])


def _acl_is_used(acl_id: str) -> bool:
    from ministack.services import ec2

    acl = ec2._network_acls[acl_id]
    return bool(acl["Associations"]) or bool(acl.get("IsDefault"))


def _vpc_is_used(vpc_id: str) -> bool:
    """What DeleteVpc leaves to the caller; default group, main route table and default ACL go with the VPC."""
    from ministack.services import ec2

    tables = (
        table
        for table in ec2._route_tables.values()
        if table["VpcId"] == vpc_id and not any(a.get("Main") for a in table["Associations"])
    )
    acls = (a for a in ec2._network_acls.values() if a["VpcId"] == vpc_id and not a.get("IsDefault"))
    endpoints = (e for e in ec2._vpc_endpoints.values() if e["VpcId"] == vpc_id)
    return any(True for users in (tables, acls, endpoints) for _ in users)


def _public_addresses(vpc_id: str) -> bool:
    from ministack.services import ec2

    instances = {
        key
        for key, instance in ec2._instances.items()
        if instance.get("VpcId") == vpc_id and instance["State"]["Name"] != "terminated"
    }
    if any(ec2._instances[key].get("PublicIpAddress") for key in instances):
        return True
    return any(
        gateway["VpcId"] == vpc_id and gateway["State"] != "deleted" and gateway.get("AllocationId")
        for gateway in ec2._nat_gateways.values()
    )


def _refusing(parameter: str, store: str, is_used: Callable[[str], bool], sentence: str) -> Callable[[Any], Any]:
    from ministack.services import ec2

    def build(original: Any) -> Any:
        def delete(parameters: dict[str, Any]) -> Any:
            physical_id = ec2._p(parameters, parameter)
            if physical_id in getattr(ec2, store) and is_used(physical_id):
                return ec2._error("DependencyViolation", sentence.format(physical_id), 400)
            return original(parameters)

        return delete

    return build


_RULES: tuple[tuple[str, str, str, Callable[[str], bool], str, str, str], ...] = (
    ("DeleteSecurityGroup", "GroupId", "_security_groups", _group_is_used,
     "resource {} has a dependent object", "AWS::EC2::SecurityGroup", "InvalidGroup.NotFound"),
    ("DeleteSubnet", "SubnetId", "_subnets", _subnet_is_used,
     "The subnet '{}' has dependencies and cannot be deleted.", "AWS::EC2::Subnet", "InvalidSubnetID.NotFound"),
    ("DeleteInternetGateway", "InternetGatewayId", "_internet_gateways", _gateway_is_used,
     "The internetGateway '{}' has dependencies and cannot be deleted.",
     "AWS::EC2::InternetGateway", "InvalidInternetGatewayID.NotFound"),
    ("DeleteRouteTable", "RouteTableId", "_route_tables", _table_is_used,
     "The routeTable '{}' has dependencies and cannot be deleted.",
     "AWS::EC2::RouteTable", "InvalidRouteTableID.NotFound"),
    ("DeleteNetworkAcl", "NetworkAclId", "_network_acls", _acl_is_used,
     "The networkAcl '{}' has dependencies and cannot be deleted.", "", ""),
    ("DeleteVpc", "VpcId", "_vpcs", _vpc_is_used,
     "The vpc '{}' has dependencies and cannot be deleted.", "AWS::EC2::VPC", "InvalidVpcID.NotFound"),
)  # fmt: skip


@correction
def deletes_are_refused_while_in_use() -> None:
    """The API and CloudFormation's deletes answer DependencyViolation, so destroying in the wrong order fails."""
    from ministack.services import ec2

    for action, parameter, store, is_used, sentence, cfn_type, gone in _RULES:
        wrap_action(ec2, "_ACTION_MAP", action, _refusing(parameter, store, is_used, sentence))
        if cfn_type:
            wrap_handler(cfn_type, "delete", _delete_through(action, parameter, gone))


def _delete_through(action: str, parameter: str, gone: str) -> Callable[[Any], Any]:
    from ministack.services import ec2

    def delete(physical_id: str, properties: Properties) -> None:
        succeed("Ec2", ec2._ACTION_MAP[action](query(**{parameter: physical_id})), ignore=[gone])
        ec2._tags.pop(physical_id, None)

    return lambda _original: delete


@correction
def gateways_are_detached_last() -> None:
    """An internet gateway stays attached while something in the VPC has a public address.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html
    """
    from ministack.services import ec2

    def build(original: Any) -> Any:
        def detach(parameters: dict[str, Any]) -> Any:
            vpc_id = ec2._p(parameters, "VpcId")
            if _public_addresses(vpc_id):
                return ec2._error(
                    "DependencyViolation",
                    f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) "
                    "before detaching the gateway.",
                    400,
                )
            return original(parameters)

        return detach

    def through_api(original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            gateway = properties.get("InternetGatewayId")
            if gateway in ec2._internet_gateways and ec2._internet_gateways[gateway]["Attachments"]:
                parameters = query(InternetGatewayId=gateway, VpcId=properties.get("VpcId"))
                succeed("Ec2", ec2._ACTION_MAP["DetachInternetGateway"](parameters))
            else:
                original(physical_id, properties)

        return delete

    wrap_action(ec2, "_ACTION_MAP", "DetachInternetGateway", build)
    wrap_handler("AWS::EC2::VPCGatewayAttachment", "delete", through_api)
