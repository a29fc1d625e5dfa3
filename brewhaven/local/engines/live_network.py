"""The networks that are deployed on the local cloud, as `brewhaven.reach` follows them: read from EC2's own records.

A second is remembered, because every call of every task asks. So a path that was closed a moment ago may still be seen;
before one is called missing, the records are read again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from brewhaven.reach.services import service_named
from brewhaven.reach.topology import (
    Endpoint,
    Group,
    Nat,
    Route,
    Rule,
    Subnet,
    Topology,
    Vpc,
    address_range,
    by_id,
    ports,
)

REMEMBERED_SECONDS = 1.0
EVERY_ADDRESS = "0.0.0.0/0"
Record = dict[str, Any]

_remembered: dict[tuple[str, str], tuple[float, Topology]] = {}


def topology(account: str, region: str, *, fresh: bool = False) -> Topology:
    """The networks of an account and region: at most a second old, or as they are now."""
    known = _remembered.get((account, region))
    if known and known[0] > time.monotonic() and not fresh:
        return known[1]
    from ministack.core.responses import request_scope

    with request_scope(account, region):
        found = _read()
    _remembered[account, region] = (time.monotonic() + REMEMBERED_SECONDS, found)
    return found


def policy_of(endpoint: str, account: str, region: str) -> Any:
    """The policy of an endpoint as it is now; None for one that lets everything through."""
    from ministack.core.responses import request_scope
    from ministack.services import ec2

    with request_scope(account, region):
        return (ec2._vpc_endpoints.get(endpoint) or {}).get("PolicyDocument") or None


def _read() -> Topology:
    from ministack.services import ec2

    return Topology(
        vpcs=by_id(_vpc(record) for record in ec2._vpcs.values()),
        subnets=by_id(_subnet(record) for record in ec2._subnets.values()),
        groups=by_id(
            Group(id_, f"the security group {_called(id_)}", tuple(rules(record)))
            for id_, record in ec2._security_groups.items()
        ),
        nats=by_id(
            Nat(
                record["NatGatewayId"],
                f"the NAT gateway {_called(record['NatGatewayId'])}",
                record.get("SubnetId", ""),
                record.get("ConnectivityType", "public") == "public",
            )
            for record in ec2._nat_gateways.values()
            if record.get("State") != "deleted"
        ),
        endpoints=tuple(_endpoint(record) for record in ec2._vpc_endpoints.values()),
    )


def _called(id_: str) -> str:
    """An id with the name that its tag gives, as the console shows both."""
    from ministack.services import ec2

    name = next((tag["Value"] for tag in ec2._tags.get(id_) or [] if tag.get("Key") == "Name"), "")
    return f"{id_} ({name})" if name else id_


def _vpc(record: Record) -> Vpc:
    from ministack.services import ec2

    gateways = [
        gateway["InternetGatewayId"]
        for gateway in ec2._internet_gateways.values()
        if any(attached.get("VpcId") == record["VpcId"] for attached in gateway.get("Attachments", []))
    ]
    names = record.get("EnableDnsHostnames", bool(record.get("IsDefault")))
    return Vpc(
        record["VpcId"],
        f"the VPC {_called(record['VpcId'])}",
        resolves=bool(record.get("EnableDnsSupport", True) and names),
        gateways=frozenset(gateways),
    )


def _subnet(record: Record) -> Subnet:
    table = _table_of(record)
    return Subnet(
        record["SubnetId"],
        f"the subnet {_called(record['SubnetId'])}",
        vpc=record["VpcId"],
        range=address_range(record["CidrBlock"]),
        table=table["RouteTableId"] if table else "",
        outward=next(_outward(table), None) if table else None,
    )


def _table_of(subnet: Record) -> Record | None:
    """The table that is associated with the subnet, or its VPC's main one."""
    from ministack.services import ec2

    main = None
    for table in ec2._route_tables.values():
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet["SubnetId"]:
                return dict(table)
            if association.get("Main") and table["VpcId"] == subnet["VpcId"]:
                main = dict(table)
    return main


def _outward(table: Record) -> Iterator[Route]:
    for route in table.get("Routes", []):
        if route.get("DestinationCidrBlock") != EVERY_ADDRESS:
            continue
        gateway, nat = str(route.get("GatewayId") or ""), str(route.get("NatGatewayId") or "")
        if gateway.startswith("igw-"):
            yield Route("internet gateway", gateway, f"the internet gateway {_called(gateway)}")
        elif nat:
            yield Route("NAT gateway", nat, f"the NAT gateway {_called(nat)}")
        else:
            yield Route("other", "", "a route that is not followed further")


def rules(group: Record) -> Iterator[Rule]:
    """The TCP rules of a security group's record."""
    for store, ingress in (("IpPermissions", True), ("IpPermissionsEgress", False)):
        for permission in group.get(store) or []:
            found = ports(permission.get("IpProtocol", "-1"), permission.get("FromPort"), permission.get("ToPort"))
            if found is None:
                continue
            for pair in permission.get("UserIdGroupPairs") or []:
                yield Rule(ingress, found, group=pair.get("GroupId"))
            for name, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
                for entry in permission.get(name) or []:
                    yield Rule(ingress, found, range=address_range(entry.get(key)))
            if permission.get("PrefixListIds"):
                yield Rule(ingress, found, services=True)


def _endpoint(record: Record) -> Endpoint:
    from ministack.services import ec2

    gateway = record.get("VpcEndpointType", "Gateway") == "Gateway"
    vpc = ec2._vpcs.get(record["VpcId"]) or {}
    default = vpc.get("DefaultSecurityGroupId")
    groups = tuple(record.get("SecurityGroupIds") or ([default] if default and not gateway else []))
    return Endpoint(
        record["VpcEndpointId"],
        f"the {'gateway' if gateway else 'interface'} endpoint {_called(record['VpcEndpointId'])}",
        kind="gateway" if gateway else "interface",
        service=service_named(record.get("ServiceName", "")),
        vpc=record["VpcId"],
        tables=frozenset(record.get("RouteTableIds") or []),
        subnets=tuple(record.get("SubnetIds") or []),
        groups=groups,
        private_dns=str(record.get("PrivateDnsEnabled")).lower() == "true",
    )
