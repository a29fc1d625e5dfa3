"""The function reaches what it calls, by doors and not by holes."""

from collections.abc import Iterator
from typing import Any

from brewhaven.course.checks import CheckList, expect, listed
from brewhaven.course.template import Resource, Template
from brewhaven.reach.report import survey_templates

CHECKS = CheckList()
INTERFACE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
GATEWAY = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
NETWORK = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html"
NEEDS = ("secretsmanager", "dynamodb")
HTTPS = 443

_reaches = CHECKS.check(
    "reaches-both",
    lesson="2.1",
    objective="private-paths",
    proves="The function reaches Secrets Manager and DynamoDB, hop by hop",
)
_stays = CHECKS.check(
    "stays-inside",
    lesson="2.1",
    objective="private-paths",
    proves="The function stays in subnets from which no route leads to the internet",
)
_cheap = CHECKS.check(
    "costs-little",
    lesson="2.1",
    objective="private-paths",
    proves="What is free is taken free, and what is paid stands in one zone",
)
_nobody = CHECKS.check(
    "nobody-else",
    lesson="2.1",
    objective="private-paths",
    proves="Through the paid door comes the function alone, and it is let out on one port",
)


def _function(template: Template) -> dict[str, Any]:
    """The function's place in the network."""
    found = template.resources("AWS::Lambda::Function", of="Function")
    expect(
        found,
        "there is no function with the id Function in the stack",
        where="your file",
        next_step="keep the function of the start, and its id",
    )
    place: dict[str, Any] = found[0].properties.get("VpcConfig", {})
    expect(
        place.get("SubnetIds"),
        "the function is outside of the network: it reaches every service of AWS there, and no longer the database "
        "beside which it was put",
        where=NETWORK,
        next_step="leave it in the isolated subnets, with self.group",
    )
    return place


def _endpoints(template: Template, kind: str) -> list[Resource]:
    return [
        endpoint
        for endpoint in template.resources("AWS::EC2::VPCEndpoint")
        if endpoint.properties.get("VpcEndpointType", "Gateway") == kind
    ]


def _service(endpoint: Resource) -> str:
    """`dynamodb` of `com.amazonaws.<region>.dynamodb`, which is text or joined of parts."""
    name = endpoint.properties.get("ServiceName", "")
    text = name if isinstance(name, str) else str(name["Fn::Join"][1][-1])
    return text.rpartition(".")[2]


@_reaches.on_template
def _(template: Template) -> str:
    _function(template)
    found = survey_templates({template.stack: template.body})
    first = found.missing[0] if found.missing else None
    expect(
        first is None,
        first.text.rstrip(".") if first else "",
        where=NETWORK,
        next_step=first.remedy if first else "",
    )
    reached = {one.target: one.through for one in found.reached}
    unneeded = [service for service in NEEDS if service not in reached]
    expect(
        not unneeded,
        f"the function may not call {' and '.join(unneeded)} any more, so there is no path to follow",
        where="the grants in your file",
        next_step="keep what the start grants: reading the secret, and putting items into the table",
    )
    return ", ".join(f"{service} through {reached[service]}" for service in NEEDS)


@_stays.on_template
def _(template: Template) -> str:
    subnets = _function(template)["SubnetIds"]
    tables = [
        association.properties["RouteTableId"]
        for association in template.resources("AWS::EC2::SubnetRouteTableAssociation")
        if association.properties["SubnetId"] in subnets
    ]
    routes = [
        route.properties
        for route in template.resources("AWS::EC2::Route")
        if route.properties["RouteTableId"] in tables
    ]
    through_nat = [route for route in routes if "NatGatewayId" in route]
    if through_nat:
        what = "the function's subnets have a route through a NAT gateway: to everywhere, by the hour and by the byte"
    else:
        what = (
            "the function is in a public subnet, with a route to the internet that it cannot use: a function in a VPC "
            "never has a public address, so nothing comes back"
        )
    expect(not routes, what, where=NETWORK, next_step="leave the function in the isolated subnets, and give it doors")
    nats = template.resources("AWS::EC2::NatGateway")
    expect(
        not nats,
        "there is a NAT gateway, which costs 33 dollars a month whether anybody uses it or not",
        where="nat_gateways in your file",
        next_step="leave it at 0: what the function calls has endpoints",
    )
    return f"{len(subnets)} isolated subnets"


@_cheap.on_template
def _(template: Template) -> str:
    _function(template)
    paid = _endpoints(template, "Interface")
    unneeded = sorted({_service(endpoint) for endpoint in paid} - {"secretsmanager"})
    expect(
        not unneeded,
        f"there is an interface endpoint for {' and '.join(unneeded)}, paid by the hour, and "
        + ("a gateway endpoint does it for nothing" if unneeded == ["dynamodb"] else "nobody needs it"),
        where=GATEWAY,
        next_step="S3 and DynamoDB have gateway endpoints; an interface endpoint is for what has none",
    )
    expect(
        len(paid) == 1,
        f"there are {len(paid)} interface endpoints for Secrets Manager, and one is enough" if paid else
        "there is no interface endpoint, and Secrets Manager has no other kind",
        where=INTERFACE,
        next_step="one, in one zone",
    )  # fmt: skip
    subnets = listed(paid[0].properties.get("SubnetIds", []))
    expect(
        len(subnets) == 1,
        f"the interface endpoint stands in {len(subnets)} subnets and is paid for in each of them",
        where=INTERFACE,
        next_step="choose one of the isolated subnets for it; the other reaches it as well",
    )
    return "one interface endpoint in one zone, and a gateway endpoint"


def _rules(template: Template, kind: str, group: str) -> Iterator[dict[str, Any]]:
    """The rules of a security group: those that stand inside of it, and those that are resources of their own."""
    for resource in template.resources("AWS::EC2::SecurityGroup"):
        if resource.logical_id == group:
            yield from resource.properties.get(f"SecurityGroup{kind}", [])
    for rule in template.resources(f"AWS::EC2::SecurityGroup{kind}"):
        if template.mentions(group, rule.properties.get("GroupId")):
            yield rule.properties


def _is_https_alone(rule: dict[str, Any]) -> bool:
    return (str(rule.get("IpProtocol")), rule.get("FromPort"), rule.get("ToPort")) == ("tcp", HTTPS, HTTPS)


def _named(template: Template, references: Any) -> list[str]:
    groups = template.resources("AWS::EC2::SecurityGroup")
    return [group.logical_id for group in groups if template.mentions(group.logical_id, references)]


@_nobody.on_template
def _(template: Template) -> str:
    mine = _named(template, _function(template).get("SecurityGroupIds", []))
    for endpoint in _endpoints(template, "Interface"):
        doors = _named(template, endpoint.properties.get("SecurityGroupIds", []))
        expect(
            doors,
            "the interface endpoint has no security group of this stack, so it takes the network's default one",
            where=INTERFACE,
            next_step="give it a security group of its own",
        )
        for rule in (rule for door in doors for rule in _rules(template, "Ingress", door)):
            _expect_narrow(template, rule, mine)
    expect(
        _endpoints(template, "Interface"),
        "there is no interface endpoint, and Secrets Manager has no other kind",
        where=INTERFACE,
        next_step="one, in one zone",
    )
    for rule in (rule for group in mine for rule in _rules(template, "Egress", group)):
        ports = "every port" if rule.get("FromPort") is None else f"the ports {rule['FromPort']} to {rule['ToPort']}"
        nowhere = rule.get("CidrIp") == "255.255.255.255/32"  # how the CDK writes a group that lets nothing out
        expect(
            nowhere or _is_https_alone(rule),
            f"the function is let out on {ports}, and what it calls answers on {HTTPS}",
            where="self.group in your file",
            next_step="allow_all_outbound=False, and an egress rule for port 443",
        )
    return "the function's group on both sides, port 443"


def _expect_narrow(template: Template, rule: dict[str, Any], mine: list[str]) -> None:
    """A rule of the paid door must admit the function's group, and on port 443."""
    source = rule.get("SourceSecurityGroupId")
    expect(
        source is not None,
        "the paid door admits every address of the network (or more), not the function alone: "
        f"{rule.get('Description', rule.get('CidrIp', rule))}",
        where=INTERFACE,
        next_step="open=False, and an ingress rule from self.group",
    )
    expect(
        _named(template, source) and set(_named(template, source)) <= set(mine),
        "the paid door admits another security group than the function's",
        where=INTERFACE,
        next_step="an ingress rule from self.group, and no other",
    )
    expect(
        _is_https_alone(rule),
        "the paid door is open on more than port 443",
        where=INTERFACE,
        next_step="ec2.Port.tcp(443)",
    )
