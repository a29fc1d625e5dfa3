"""Checks of lesson 1.6: the shop on Fargate."""

from __future__ import annotations

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.template import Template

CHECKS = CheckList()

CODE = "constructs/brew_constructs/storefront.py"
EVENTS = "ECS > Clusters > the shop's > Services > Events"


running = CHECKS.check(
    "tasks-running",
    lesson="1.6",
    objective="fargate-hosting",
    proves="As many tasks run as are wanted, and the last deployment is complete",
)


@running.on_cloud
def _(cloud: Deployment) -> str:
    service = _service(cloud)
    wanted, there = service["desiredCount"], service["runningCount"]
    expect(
        wanted >= 1 and there == wanted,
        f"{there} of {wanted} tasks run",
        where=f"{EVENTS}, and Tasks > Stopped for the reason why a task stopped",
        next_step="wait a minute; when it stays so, read the reason of the last stopped task and its log",
    )
    states = [entry.get("rolloutState") for entry in service["deployments"] if entry["status"] == "PRIMARY"]
    expect(
        states == ["COMPLETED"],
        f"the last deployment of the service is {', '.join(str(state) for state in states)}",
        where=EVENTS,
        next_step="wait until it is complete; a failed one says in the events what it waited for",
    )
    return f"{there} of {wanted} tasks"


rollback = CHECKS.check(
    "deployment-rollback",
    lesson="1.6",
    objective="fargate-hosting",
    proves="A version that does not start is taken back, and the old one serves until then",
)


@rollback.on_template
def _(template: Template) -> str:
    [service] = template.resources("AWS::ECS::Service", of="Storefront")
    settings = service.properties.get("DeploymentConfiguration", {})
    breaker = settings.get("DeploymentCircuitBreaker", {})
    return _taken_back(breaker.get("Enable"), breaker.get("Rollback"), settings.get("MinimumHealthyPercent"))


@rollback.on_cloud
def _(cloud: Deployment) -> str:
    settings = _service(cloud)["deploymentConfiguration"]
    breaker = settings.get("deploymentCircuitBreaker", {})
    return _taken_back(breaker.get("enable"), breaker.get("rollback"), settings.get("minimumHealthyPercent"))


def _taken_back(enabled: Any, rolls_back: Any, least: Any) -> str:
    expect(
        enabled is True and rolls_back is True,
        f"the deployment circuit breaker is {'on' if enabled else 'off'}"
        + (", and does not roll back" if enabled and not rolls_back else ""),
        where=f"`circuit_breaker` in {CODE}",
        next_step="set DeploymentCircuitBreaker(enable=True, rollback=True)",
    )
    expect(
        int(least) >= 100,
        f"a deployment may go down to {least} percent of the tasks",
        where=f"`min_healthy_percent` in {CODE}",
        next_step="set it to 100, so that an old task is stopped only when a new one is healthy",
    )
    return "circuit breaker with rollback, never fewer tasks than before"


scaling = CHECKS.check(
    "tasks-scale",
    lesson="1.6",
    objective="fargate-hosting",
    proves="The number of tasks follows the use of their processors, within limits",
)


@scaling.on_template
def _(template: Template) -> str:
    targets = template.resources("AWS::ApplicationAutoScaling::ScalableTarget", of="Storefront")
    policies = template.resources("AWS::ApplicationAutoScaling::ScalingPolicy", of="Storefront")
    return _scales(
        [(target.properties["MinCapacity"], target.properties["MaxCapacity"]) for target in targets],
        [policy.properties["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for policy in policies],
    )


@scaling.on_cloud
def _(cloud: Deployment) -> str:
    client = cloud.client("application-autoscaling")
    resource = f"service/{cloud.outputs['StorefrontClusterName']}/{cloud.outputs['StorefrontServiceName']}"
    targets = client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"]
    policies = client.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]
    return _scales(
        [(target["MinCapacity"], target["MaxCapacity"]) for target in targets],
        [policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for policy in policies],
    )


def _scales(limits: list[tuple[Any, Any]], values: list[Any]) -> str:
    expect(
        limits and values,
        "nothing adds a task when the queue grows",
        where=f"`scaling` in {CODE}, and ECS > the service > Service auto scaling",
        next_step="call auto_scale_task_count and scale_on_cpu_utilization on the service",
    )
    least, most = limits[0]
    expect(
        1 <= int(least) < int(most),
        f"the number of tasks may go from {least} to {most}",
        where=f"`auto_scale_task_count` in {CODE}",
        next_step="give it at least one task and room to grow",
    )
    return f"{least} to {most} tasks, at {float(values[0]):.0f} percent"


healthy = CHECKS.check(
    "load-balancer-serves",
    lesson="1.6",
    objective="load-balancing",
    proves="The load balancer finds every running task healthy, and serves the menu from them",
)


@healthy.on_cloud
def _(cloud: Deployment) -> str:
    states = _targets(cloud)
    ill = {address: state for address, state in states.items() if state not in ("healthy", "draining")}
    expect(
        "healthy" in states.values() and not ill,
        f"targets that are not healthy: {ill or 'there are none at all'}",
        where="EC2 > Target Groups > the shop's > Targets",
        next_step="read the reason beside the target: no answer is a security group or a dead process, 5xx is the shop",
    )
    url = cloud.outputs["ShopUrl"]
    products = ask(f"{url}/api/menu").json()["products"]
    expect(
        products,
        f"{url} has an empty menu",
        where="the log group of the tasks",
        next_step="deploy lesson 1.1 again: its seeder puts in what is missing",
    )
    return f"{list(states.values()).count('healthy')} healthy, {len(products)} products at {url}"


only_way = CHECKS.check(
    "load-balancer-only-way",
    lesson="1.6",
    objective="load-balancing",
    proves="Nobody reaches a task around the load balancer",
)


@only_way.on_template
def _(template: Template) -> str:
    [group] = template.resources("AWS::EC2::SecurityGroup", of="StorefrontSecurityGroup")
    rules = [
        rule.properties
        for rule in template.resources("AWS::EC2::SecurityGroupIngress")
        if template.mentions(group.logical_id, rule.properties["GroupId"])
    ]
    rules += group.properties.get("SecurityGroupIngress", [])
    strangers = [
        str(rule.get("CidrIp") or rule.get("SourceSecurityGroupId"))
        for rule in rules
        if "StorefrontLoadBalancer" not in str(rule.get("SourceSecurityGroupId"))
    ]
    return _nobody_else(len(rules), strangers)


@only_way.on_cloud
def _(cloud: Deployment) -> str:
    ec2 = cloud.client("ec2")
    groups = _service(cloud)["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    balancer = cloud.resources("AWS::EC2::SecurityGroup", of="StorefrontLoadBalancer")[0].physical_id
    permissions = [
        rule
        for group in ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
        for rule in group["IpPermissions"]
    ]
    sources = [
        source
        for rule in permissions
        for source in [entry["CidrIp"] for entry in rule.get("IpRanges", [])]
        + [entry["GroupId"] for entry in rule.get("UserIdGroupPairs", [])]
    ]
    return _nobody_else(len(sources), [source for source in sources if source != balancer])


def _nobody_else(rules: int, strangers: list[str]) -> str:
    expect(
        not strangers,
        f"besides the load balancer the tasks let in {', '.join(strangers)}",
        where="the rules of the tasks' security group (lesson 1.6, step 4)",
        next_step="take those rules away; what is left over from the lab goes with its last step",
    )
    expect(
        rules,
        "the tasks let in nobody, not even the load balancer",
        where="the rules of the tasks' security group (lesson 1.6, step 4)",
        next_step=f"register the service as a target of the listener, as {CODE} does: that adds the rule",
    )
    return "one rule, for the load balancer's group"


by_name = CHECKS.check(
    "found-by-name",
    lesson="1.6",
    objective="service-discovery",
    proves="The private name of the shop leads to exactly the tasks that run",
)


@by_name.on_template
def _(template: Template) -> str:
    [service] = template.resources("AWS::ECS::Service", of="Storefront")
    names = template.resources("AWS::ServiceDiscovery::Service", of="Storefront")
    expect(
        names
        and any(template.mentions(name.logical_id, service.properties.get("ServiceRegistries")) for name in names),
        "the service is entered under no name",
        where=f"`cloud_map_options` in {CODE}",
        next_step="give the service cloud_map_options, and the cluster a private namespace",
    )
    [namespace] = template.resources("AWS::ServiceDiscovery::PrivateDnsNamespace", of="Storefront")
    return f"{names[0].properties['Name']}.{namespace.properties['Name']}"


@by_name.on_cloud
def _(cloud: Deployment) -> str:
    client = cloud.client("servicediscovery")
    registries = [entry["registryArn"].rpartition("/")[2] for entry in _service(cloud).get("serviceRegistries", [])]
    expect(
        registries,
        "the service is entered under no name",
        where="Cloud Map > Namespaces",
        next_step=f"give the service cloud_map_options again ({CODE})",
    )
    entered = {
        entry["Attributes"]["AWS_INSTANCE_IPV4"]
        for entry in client.list_instances(ServiceId=registries[0])["Instances"]
        if "AWS_INSTANCE_IPV4" in entry["Attributes"]
    }
    tasks = _addresses(cloud)
    expect(
        entered == tasks,
        f"the name leads to {sorted(entered) or 'nobody'}, and tasks run at {sorted(tasks) or 'no address'}",
        where="Cloud Map > Namespaces > the shop's > Service instances",
        next_step="ECS keeps the entries: wait a minute, then force a new deployment of the service",
    )
    return f"{len(entered)} address(es), those of the running tasks"


def _service(cloud: Deployment) -> dict[str, Any]:
    names = cloud.outputs
    found = cloud.client("ecs").describe_services(
        cluster=names["StorefrontClusterName"], services=[names["StorefrontServiceName"]]
    )
    service: dict[str, Any] = found["services"][0]
    return service


def _addresses(cloud: Deployment) -> set[str]:
    ecs, cluster = cloud.client("ecs"), cloud.outputs["StorefrontClusterName"]
    arns = ecs.list_tasks(cluster=cluster, serviceName=cloud.outputs["StorefrontServiceName"])["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return {
        detail["value"]
        for task in tasks
        for attachment in task["attachments"]
        for detail in attachment["details"]
        if task["lastStatus"] == "RUNNING" and detail["name"] == "privateIPv4Address"
    }


def _targets(cloud: Deployment) -> dict[str, str]:
    group = _service(cloud)["loadBalancers"][0]["targetGroupArn"]
    found = cloud.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return {entry["Target"]["Id"]: entry["TargetHealth"]["State"] for entry in found}
