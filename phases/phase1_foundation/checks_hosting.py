"""Checks of lessons 1.5 to 1.7: the network, the shop on EC2 and on Fargate, the boundary around the staff."""

from __future__ import annotations

import json

from brewhaven.course.checks import CheckList, expect, listed, statements
from brewhaven.course.cloud import Answer, Deployment, ask
from brewhaven.course.paths import every_path
from brewhaven.course.template import Template
from phases.phase1_foundation.probes import WITHOUT_FARGATE, incoming, service_of

CHECKS = CheckList()

CONSTRUCTS = "constructs/brew_constructs"
GROUP = "AWS::EC2::SecurityGroup"
SHOP_PORT = 8080


def reach(url: str, path: str) -> Answer:
    """Ask the shop.

    Raises:
        Failure: Nobody answers.
    """
    answer: Answer | str
    try:
        answer = ask(f"{url.rstrip('/')}{path}", timeout=5)
    except OSError as error:
        answer = str(error)
    expect(
        isinstance(answer, Answer),
        f"the shop at {url} does not answer ({answer})",
        where="its security group first (does it let in your address?), then its log",
        next_step="on AWS your address may have changed: deploy again with the new allowed_cidr",
    )
    assert isinstance(answer, Answer)
    return answer


# 1.5 The shop on EC2

network = CHECKS.check(
    "network-two-zones",
    lesson="1.5",
    objective="network-foundations",
    proves="Two zones, each with a public subnet and one that has no way to the internet, and no NAT gateway",
)


@network.on_template
def _(template: Template) -> str:
    subnets = template.resources("AWS::EC2::Subnet", of="ShopNetwork")
    open_routes = [
        route
        for route in template.resources("AWS::EC2::Route", of="ShopNetwork")
        if route.properties.get("DestinationCidrBlock") == "0.0.0.0/0"
    ]
    isolated = [route.logical_id for route in open_routes if "Isolated" in route.logical_id]
    gateways = template.resources("AWS::EC2::NatGateway")
    expect(
        len(subnets) == 4 and len(open_routes) == 2 and not isolated,
        f"there are {len(subnets)} subnets and {len(open_routes)} ways to the internet; there must be 4 and 2, and "
        f"none from an isolated subnet ({', '.join(isolated) or 'none here'})",
        where=f"{CONSTRUCTS}/shop_network.py",
        next_step="put the subnets back as the lesson has them and deploy again",
    )
    expect(
        not gateways,
        f"{len(gateways)} NAT gateway(s): each costs 33 dollars a month before the first byte",
        where=f"nat_gateways in {CONSTRUCTS}/shop_network.py",
        next_step="set it to 0",
    )
    return "4 subnets, 2 ways out"


@network.on_cloud
def _(cloud: Deployment) -> str:
    vpc = cloud.resources("AWS::EC2::VPC", of="ShopNetwork")[0].physical_id
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    client = cloud.client("ec2")
    subnets = {subnet["SubnetId"]: subnet for subnet in client.describe_subnets(Filters=here)["Subnets"]}
    ways_out = {
        association.get("SubnetId")
        for table in client.describe_route_tables(Filters=here)["RouteTables"]
        if any(
            route.get("DestinationCidrBlock") == "0.0.0.0/0"
            and route.get("GatewayId", "").startswith("igw-")
            and route.get("State") != "blackhole"
            for route in table["Routes"]
        )
        for association in table.get("Associations", [])
    }
    public = {id_ for id_, subnet in subnets.items() if subnet.get("MapPublicIpOnLaunch")}
    zones = {subnets[id_]["AvailabilityZone"] for id_ in public}
    wrong = sorted((ways_out & set(subnets)) ^ public)
    expect(
        len(zones) == 2 and len(subnets) == 4 and not wrong,
        f"{', '.join(wrong) or 'the network'} is not as it should be: an isolated subnet with a way to the internet, a "
        f"public one without, or fewer than two zones ({', '.join(sorted(zones))})",
        where="VPC console: Your VPCs, Resource map",
        next_step="remove the route to the internet gateway that somebody added, or put back the one that is missing",
    )
    return f"zones {', '.join(sorted(zones))}"


paths = CHECKS.check(
    "paths-complete",
    lesson="1.5",
    objective="network-foundations",
    proves="Every part of the shop has a path through the network to each AWS service that its role names",
)


@paths.on_template
def _(template: Template) -> str:
    return every_path(template)


closed = CHECKS.check(
    "instance-closed",
    lesson="1.5",
    objective="ec2-hosting",
    proves="The instance has one door, the shop's, and its keys cannot be fetched by a trick",
)


@closed.on_template
def _(template: Template) -> str:
    ports = [
        rule.get("FromPort")
        for group in template.resources(GROUP, of="StorefrontInstance")
        for rule in group.properties.get("SecurityGroupIngress", [])
    ]
    expect(
        ports == [SHOP_PORT],
        f"the instance's security group opens the ports {ports}, and must open {SHOP_PORT} alone",
        where=f"{CONSTRUCTS}/storefront_instance.py",
        next_step="remove the rule; for a shell there is Session Manager",
    )
    launch = template.resources("AWS::EC2::LaunchTemplate", of="StorefrontInstance")[0]
    tokens = launch.properties["LaunchTemplateData"].get("MetadataOptions", {}).get("HttpTokens")
    expect(
        tokens == "required",
        "the metadata service answers without a token, so a page tricked into fetching an address can read the keys",
        where=f"require_imdsv2 in {CONSTRUCTS}/storefront_instance.py",
        next_step="require version 2",
    )
    return "port 8080 alone, tokens required"


@closed.on_cloud
def _(cloud: Deployment) -> str:
    answer = cloud.client("ec2").describe_instances(InstanceIds=[cloud.outputs["InstanceId"]])
    instance = answer["Reservations"][0]["Instances"][0]
    rules = [rule for group in instance["SecurityGroups"] for rule in incoming(cloud, group["GroupId"])]
    other = [f"{rule['FromPort']}-{rule['ToPort']}" for rule in rules if rule["FromPort"] != SHOP_PORT]
    expect(
        not other,
        f"the instance also lets in the ports {', '.join(other)}",
        where="EC2 console: the instance, Security",
        next_step="revoke the rule; for a shell there is Session Manager",
    )
    expect(
        instance["MetadataOptions"]["HttpTokens"] == "required" and not instance.get("KeyName"),
        "the instance has a key pair, or its metadata service answers without a token",
        where="EC2 console: the instance, Details",
        next_step="`aws ec2 modify-instance-metadata-options --http-tokens required`; a key pair needs a new instance",
    )
    return f"{len(rules)} rule, tokens required, no key pair"


serves = CHECKS.check(
    "instance-serves",
    lesson="1.5",
    objective="ec2-hosting",
    proves="The shop on EC2 answers and reaches its table with the role of the instance",
)


@serves.on_cloud
def _(cloud: Deployment) -> str:
    return _ready(cloud.outputs["InstanceUrl"])


def _ready(url: str) -> str:
    answer = reach(url, "/ready")
    expect(
        answer.status == 200,
        f"the shop at {url} lives and is not ready: {answer.text[:200]}",
        where="the part of the answer that is not 'ok' names what the shop does not reach",
        next_step="give its role back what it needs: ShopRuntime.grant_to has the list",
    )
    return ", ".join(f"{name} {state}" for name, state in answer.json()["checks"].items())


# 1.6 The shop on Fargate

keeps = CHECKS.check(
    "service-keeps-tasks",
    lesson="1.6",
    objective="fargate-hosting",
    proves="As many tasks run as are wanted, and a version that does not start is taken back",
    left_out_by=WITHOUT_FARGATE,
)


@keeps.on_template
def _(template: Template) -> str:
    service = template.resources("AWS::ECS::Service", of="Storefront")[0].properties
    breaker = service.get("DeploymentConfiguration", {}).get("DeploymentCircuitBreaker", {})
    expect(
        breaker.get("Enable") is True and breaker.get("Rollback") is True,
        "the deployment circuit breaker does not roll back: a version that does not start is tried for hours",
        where=f"circuit_breaker in {CONSTRUCTS}/storefront.py",
        next_step="enable it with rollback",
    )
    return "circuit breaker rolls back"


@keeps.on_cloud
def _(cloud: Deployment) -> str:
    service = service_of(cloud)
    wanted, running = service["desiredCount"], service["runningCount"]
    template = cloud.resources("AWS::ECS::TaskDefinition", of="Storefront")[0].physical_id
    expect(
        service["taskDefinition"] == template,
        f"the service runs {service['taskDefinition']}, and the stack says {template}",
        where="ECS console: the service, Deployments",
        next_step="update the service to the stack's task definition",
    )
    expect(
        wanted >= 1 and running >= wanted,
        f"{running} of {wanted} tasks run",
        where="ECS console: the service, Events, and the stopped reason of its last task",
        next_step="what the stopped task wrote last says why; none wanted means that somebody set the number to 0",
    )
    breaker = service["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    expect(
        breaker.get("enable") and breaker.get("rollback"),
        "the deployment circuit breaker of the running service does not roll back",
        where="ECS console: the service, Deployments, Failure detection",
        next_step="`aws ecs update-service` with the deployment configuration of the stack",
    )
    return f"{running} of {wanted} tasks"


balanced = CHECKS.check(
    "balancer-is-the-only-way",
    lesson="1.6",
    objective="load-balancing",
    proves="Nobody reaches a task around the load balancer",
    left_out_by=WITHOUT_FARGATE,
)


@balanced.on_template
def _(template: Template) -> str:
    groups = template.resources(GROUP, of="StorefrontSecurityGroup")
    inline = [rule for group in groups for rule in group.properties.get("SecurityGroupIngress", [])]
    rules = [
        rule.properties for rule in template.resources("AWS::EC2::SecurityGroupIngress", of="StorefrontSecurityGroup")
    ]
    ranges = [rule for rule in [*inline, *rules] if "SourceSecurityGroupId" not in rule]
    expect(
        groups and rules and not ranges,
        f"the tasks' security group has {len(ranges)} rule(s) for addresses and {len(rules)} for other groups: tasks "
        "have public addresses, so any range lets guests go around the load balancer",
        where=f"{CONSTRUCTS}/storefront.py",
        next_step="let in the load balancer's group alone",
    )
    return f"{len(rules)} rule, by group"


@balanced.on_cloud
def _(cloud: Deployment) -> str:
    (group,) = service_of(cloud)["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    ranges = [rule.get("CidrIpv4") or rule.get("CidrIpv6") for rule in incoming(cloud, group)]
    ranges = [found for found in ranges if found]
    expect(
        not ranges,
        f"the tasks' security group {group} lets in {', '.join(ranges)} around the load balancer",
        where="EC2 console: Security groups",
        next_step="revoke that rule: only the load balancer's group may come in",
    )
    return "only other groups come in"


menu_served = CHECKS.check(
    "shop-serves-menu",
    lesson="1.6",
    objective="load-balancing",
    proves="A guest gets the menu through the load balancer, from a task that reaches its table",
    left_out_by=WITHOUT_FARGATE,
)


@menu_served.on_cloud
def _(cloud: Deployment) -> str:
    url = cloud.outputs["ShopUrl"]
    _ready(url)
    answer = reach(url, "/api/menu")
    expect(
        answer.status == 200,
        f"the shop at {url} lives and does not show its menu: {answer.text[:200]}",
        where="the log of the tasks (StorefrontLogGroupName): the line that begins with 'AWS refused'",
        next_step="give the task role back what that line names: CatalogTable.grant_shop_access has the list",
    )
    products = answer.json()["products"]
    expect(
        products,
        f"the menu at {url}/api/menu is empty",
        where="the index ByCategory (check menu-by-category)",
        next_step="see that products carry gsi1pk = MENU",
    )
    return f"{len(products)} products through the load balancer"


by_name = CHECKS.check(
    "found-by-name",
    lesson="1.6",
    objective="service-discovery",
    proves="Cloud Map has the address of every running task under the shop's name, and no other",
    left_out_by=WITHOUT_FARGATE,
)


@by_name.on_template
def _(template: Template) -> str:
    service = template.resources("AWS::ECS::Service", of="Storefront")[0].properties
    expect(
        service.get("ServiceRegistries"),
        "the service is entered in no Cloud Map service, so nobody finds it by name",
        where=f"cloud_map_options in {CONSTRUCTS}/storefront.py",
        next_step="put them back and deploy again",
    )
    return "entered in Cloud Map"


@by_name.on_cloud
def _(cloud: Deployment) -> str:
    service, client = service_of(cloud), cloud.client("ecs")
    registry = service["serviceRegistries"][0]["registryArn"].rpartition("/")[2]
    listing = cloud.client("servicediscovery").list_instances(ServiceId=registry)["Instances"]
    known = {entry["Attributes"]["AWS_INSTANCE_IPV4"] for entry in listing}
    cluster = cloud.outputs["StorefrontClusterName"]
    arns = client.list_tasks(cluster=cluster, serviceName=service["serviceName"])["taskArns"]
    tasks = client.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    running = {
        detail["value"]
        for task in tasks
        if task["lastStatus"] == "RUNNING"
        for attachment in task["attachments"]
        for detail in attachment["details"]
        if detail["name"] == "privateIPv4Address"
    }
    expect(
        known == running,
        f"Cloud Map has {', '.join(sorted(known)) or 'nothing'}, and the tasks are at {', '.join(sorted(running))}",
        where="Cloud Map console: Namespaces, the service storefront",
        next_step="deregister an entry that is no task's; ECS enters and removes its own within a minute",
    )
    return f"{', '.join(sorted(known))}"


# 1.7 Boundaries

bounded = CHECKS.check(
    "staff-bounded",
    lesson="1.7",
    objective="iam-boundaries",
    proves="No policy that somebody attaches to a member of staff can reach further than the boundary",
)


@bounded.on_template
def _(template: Template) -> str:
    roles = template.resources("AWS::IAM::Role", of="StaffRoles")
    free = [role.logical_id for role in roles if "PermissionsBoundary" not in role.properties]
    expect(
        roles and not free,
        f"{', '.join(free)} has no permission boundary: a policy attached in a hurry could do anything",
        where=f"StaffRoles.limit in {CONSTRUCTS}/staff_roles.py",
        next_step="apply the boundary to every role of the staff",
    )
    boundary = template.resources("AWS::IAM::ManagedPolicy", of="StaffRolesBoundary")[0]
    wide = [
        action
        for statement in statements(boundary.properties["PolicyDocument"])
        for action in listed(statement["Action"])
        if action in ("*", "dynamodb:*", "s3:*", "iam:*")
    ]
    expect(
        not wide,
        f"the boundary allows {', '.join(wide)}, so it bounds nothing",
        where=f"StaffRoles.limit in {CONSTRUCTS}/staff_roles.py",
        next_step="name the actions that staff may ever need",
    )
    return f"{len(roles)} roles inside the boundary"


@bounded.on_cloud
def _(cloud: Deployment) -> str:
    iam, boundary = cloud.client("iam"), cloud.outputs["StaffBoundaryArn"]
    names = [cloud.outputs[f"{who}RoleArn"].rpartition("/")[2] for who in ("Barista", "Manager", "Auditor")]
    free = [
        name
        for name in names
        if iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") != boundary
    ]
    expect(
        not free,
        f"{', '.join(free)} is outside the boundary",
        where="IAM console: Roles, the role, Permissions boundary",
        next_step=f"`aws iam put-role-permissions-boundary --role-name <role> --permissions-boundary {boundary}`",
    )
    version = iam.get_policy(PolicyArn=boundary)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=boundary, VersionId=version)["PolicyVersion"]["Document"]
    text = json.dumps(document)
    expect(
        '"CUSTOMER' not in text
        and '"dynamodb:*"' not in text
        and '"*"' not in json.dumps([listed(statement["Action"]) for statement in statements(document)]),
        "the boundary's default version allows more than the lesson's: customers, or every action",
        where="IAM console: Policies, the boundary, Policy versions",
        next_step="make the version that the stack wrote the default one again",
    )
    return f"{len(names)} roles inside the boundary, version {version}"
