"""VPC endpoints: gateway endpoints are routes, and the API keeps what an endpoint is made of as templates do."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from brewhaven.local.emulator import truth, wrap_action, wrap_handler
from brewhaven.local.registry import Created, Properties, correction, replace
from brewhaven.local.resources.ec2_checks import require_vpc


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
            require_vpc(properties.get("VpcId"))
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


def _table_ids(endpoint: dict[str, Any]) -> list[str]:
    return list(endpoint.get("RouteTableIds") or []) if endpoint["VpcEndpointType"] == "Gateway" else []


@correction
def the_api_keeps_what_an_endpoint_is_made_of() -> None:
    """Security groups, private DNS and policy of CreateVpcEndpoint and ModifyVpcEndpoint, which the emulator drops.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    """
    from ministack.services import ec2

    def create(original: Any) -> Any:
        def create_vpc_endpoint(parameters: dict[str, Any]) -> Any:
            before = set(ec2._vpc_endpoints)
            answer = original(parameters)
            for id_ in set(ec2._vpc_endpoints) - before:
                endpoint = ec2._vpc_endpoints[id_]
                interface = endpoint["VpcEndpointType"] == "Interface"
                endpoint["SecurityGroupIds"] = ec2._parse_member_list(parameters, "SecurityGroupId")
                endpoint["PrivateDnsEnabled"] = truth(ec2._p(parameters, "PrivateDnsEnabled") or interface)
                endpoint["PolicyDocument"] = ec2._p(parameters, "PolicyDocument") or None
                _route(id_, endpoint, _table_ids(endpoint))
                answer = ec2._xml(200, "CreateVpcEndpointResponse", ec2._vpce_fields_xml(endpoint, tag="vpcEndpoint"))
            return answer

        return create_vpc_endpoint

    def modify(original: Any) -> Any:
        def modify_vpc_endpoint(parameters: dict[str, Any]) -> Any:
            answer = original(parameters)
            endpoint = ec2._vpc_endpoints.get(ec2._p(parameters, "VpcEndpointId"))
            if endpoint is None:
                return answer
            added = ec2._parse_member_list(parameters, "AddSecurityGroupId")
            removed = ec2._parse_member_list(parameters, "RemoveSecurityGroupId")
            known = endpoint.get("SecurityGroupIds") or []
            endpoint["SecurityGroupIds"] = [one for one in dict.fromkeys([*known, *added]) if one not in removed]
            if ec2._p(parameters, "PrivateDnsEnabled"):
                endpoint["PrivateDnsEnabled"] = truth(ec2._p(parameters, "PrivateDnsEnabled"))
            if truth(ec2._p(parameters, "ResetPolicy")):
                endpoint["PolicyDocument"] = None
            _route(endpoint["VpcEndpointId"], endpoint, _table_ids(endpoint))
            return answer

        return modify_vpc_endpoint

    def delete(original: Any) -> Any:
        def delete_vpc_endpoints(parameters: dict[str, Any]) -> Any:
            for id_ in ec2._parse_member_list(parameters, "VpcEndpointId"):
                if id_ in ec2._vpc_endpoints:
                    _route(id_, ec2._vpc_endpoints[id_], [])
            return original(parameters)

        return delete_vpc_endpoints

    def described(original: Any) -> Any:
        def render(endpoint: dict[str, Any], tag: str = "item") -> str:
            text = str(original(endpoint, tag))
            policy = endpoint.get("PolicyDocument") or _FULL_ACCESS
            written = policy if isinstance(policy, str) else json.dumps(policy)
            groups = "".join(
                f"<item><groupId>{id_}</groupId><groupName>{escape(_group_name(id_))}</groupName></item>"
                for id_ in endpoint.get("SecurityGroupIds") or []
            )
            more = (
                f"<privateDnsEnabled>{str(truth(endpoint.get('PrivateDnsEnabled'))).lower()}</privateDnsEnabled>"
                f"<policyDocument>{escape(written)}</policyDocument><groupSet>{groups}</groupSet>"
            )
            head, _, _ = text.rpartition(f"</{tag}>")
            return f"{head}{more}</{tag}>"

        return render

    wrap_action(ec2, "_ACTION_MAP", "CreateVpcEndpoint", create)
    wrap_action(ec2, "_ACTION_MAP", "ModifyVpcEndpoint", modify)
    wrap_action(ec2, "_ACTION_MAP", "DeleteVpcEndpoints", delete)
    replace(ec2, "_vpce_fields_xml", described)


_FULL_ACCESS = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
"""What an endpoint without a policy shows as its policy."""


def _group_name(id_: str) -> str:
    from ministack.services import ec2

    return str((ec2._security_groups.get(id_) or {}).get("GroupName", id_))


@correction
def endpoints_are_found_by_filters() -> None:
    """``vpc-id``, ``service-name``, ``vpc-endpoint-type`` and tags of DescribeVpcEndpoints.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
    """
    from ministack.services import ec2

    names = {"vpc-id": "VpcId", "service-name": "ServiceName", "vpc-endpoint-type": "VpcEndpointType"}

    def build(original: Any) -> Any:
        def describe(parameters: dict[str, Any]) -> Any:
            filters = ec2._parse_filters(parameters)
            if not filters:
                return original(parameters)
            wanted = ec2._parse_member_list(parameters, "VpcEndpointId")
            found = [
                endpoint
                for id_, endpoint in ec2._vpc_endpoints.items()
                if (not wanted or id_ in wanted)
                and all(endpoint.get(key) in filters[name] for name, key in names.items() if name in filters)
                and ec2._resource_matches_tag_filters(id_, filters)
            ]
            items = "".join(ec2._vpce_fields_xml(endpoint) for endpoint in found)
            return ec2._xml(200, "DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{items}</vpcEndpointSet>")

        return describe

    wrap_action(ec2, "_ACTION_MAP", "DescribeVpcEndpoints", build)
