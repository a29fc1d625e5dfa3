"""Faults of lesson 1.6: the shop on Fargate, its load balancer, its image and its role."""

from __future__ import annotations

import secrets

from brewhaven.course.checks import listed, statements
from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.faults import Explanation, FaultList, Plan, call
from brewhaven.course.template import Template
from phases.phase1_foundation import hotfix
from phases.phase1_foundation.probes import WITHOUT_FARGATE, service_of, shop_url

FAULTS = FaultList()

DEPLOY_YOUR_CODE = """\
brewhaven deploy "$LESSON"
"""
GONE = ("ClientException", "InvalidParameterException")


menu_stays_empty = FAULTS.fault(
    "menu-stays-empty",
    lesson="1.6",
    check="shop-serves-menu",
    left_out_by=WITHOUT_FARGATE,
    symptom='A guest: *"The page comes up, with its logo and everything, but where the menu should be it only says '
    'that the shop cannot do that right now. Funny: the espresso that I have as a bookmark opens."* The barista adds: '
    '*"My board does not come up either."*',
    hints=(
        "The page loads, one product loads, lists do not. What does the shop do differently for a list than for one "
        "product? The table in the docstring of `CatalogTable` says which request each question is.",
        "The shop writes down what AWS refused, and why: `aws logs filter-log-events --log-group-name "
        "<StorefrontLogGroupName> --filter-pattern refused --query 'events[-3:].message'`. Read who, what, and above "
        "all on *which* resource.",
        "The task role may query the table, and not the table's indexes: they are resources of their own, "
        "`<table>/index/*`. Look at the role's policy in the console or with `aws iam get-role-policy`. `cdk diff` "
        "shows that your code has it: somebody deployed other code. Deploy yours again.",
    ),
    explanation=Explanation(
        cause="A reviewer disliked the wildcard in `<table>/index/*`, took the line out of the grant and deployed. "
        "But an index is a resource of its own, and a policy that allows `dynamodb:Query` on the table allows none on "
        "its indexes.",
        found_by="The log group of the tasks: *AWS refused Query ... is not authorized to perform: dynamodb:Query on "
        "resource: .../index/ByCategory because no identity-based policy allows ...*. `cdk diff` shows the resource "
        "that the deployed policy lacks. On AWS, CloudTrail's data events of DynamoDB have the denied call.",
        prevention="A wildcard that ends at one table is a narrow one: say so beside it, as `grant_shop_access` does, "
        "and let a check ask each question of the shop before a deployment reaches guests.",
        page="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/security_iam_service-with-iam.html",
    ),
    repair=DEPLOY_YOUR_CODE,
)


@menu_stays_empty.on_template
def _(template: Template) -> None:
    (policy,) = template.resources("AWS::IAM::Policy", of="StorefrontTaskTaskRole")
    for statement in statements(policy.properties["PolicyDocument"]):
        if "dynamodb:Query" in listed(statement["Action"]):
            statement["Resource"] = [part for part in listed(statement["Resource"]) if "/index/" not in str(part)]


@menu_stays_empty.noticed
def _(cloud: Deployment) -> str | None:
    menu, one = (ask(f"{shop_url(cloud)}{path}") for path in ("/api/menu", "/api/menu/espresso"))
    if menu.status == 200 or one.status != 200:
        return None
    return f"/api/menu answers {menu.status}: {menu.json()['detail']} One product answers {one.status}."


nobody_gets_in = FAULTS.fault(
    "nobody-gets-in",
    lesson="1.6",
    check="shop-serves-menu",
    left_out_by=WITHOUT_FARGATE,
    symptom='A guest: *"The page does not come up at all. No error of yours, nothing: my browser tries and gives '
    'up."* A second one: *"Here too, and at home the same."* The barista: *"But the machine is warm, and all lamps '
    'are green."*',
    hints=(
        "There is no answer, not even an error page. An error page would come from something that was reached. So go "
        "from outside to inside and find the first thing that is not: the name, the door, the load balancer, the "
        "tasks.",
        "The tasks are well: `aws elbv2 describe-target-health --target-group-arn ...` says so. So the request never "
        "gets as far as the load balancer's listener. What stands in front of it and never answers, but just lets you "
        "wait (lesson 1.5)?",
        "`aws ec2 describe-security-group-rules --filters Name=group-id,Values=<the load balancer's group>` lists who "
        "may come in on port 80. Is your address among them? It was deployed like that: deploy again with the right "
        "one (`brewhaven deploy` takes yours).",
    ),
    explanation=Explanation(
        cause="Somebody deployed with an address out of an example, `-c allowed_cidr=192.0.2.10/32`. The load "
        "balancer's security group admits that address alone, and whoever is not admitted gets no answer at all. (AWS "
        "lets such a connection wait until it times out; on the local cloud the port is closed.)",
        found_by="Everything behind the door is healthy: `aws elbv2 describe-target-health`, the tasks, their logs, "
        "in which no request arrives. On AWS the load balancer's metric `RequestCount` falls to zero while "
        "`HealthyHostCount` stays. `aws ec2 describe-security-group-rules` shows the one address.",
        prevention="Let the tool find your address, as `brewhaven deploy` does, and ask the shop once from outside "
        "after every deployment. From phase 5 on a firewall decides who comes in, and says so when it refuses.",
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
    ),
    repair=DEPLOY_YOUR_CODE,
)


@nobody_gets_in.on_template
def _(template: Template) -> None:
    (group,) = template.resources("AWS::EC2::SecurityGroup", of="StorefrontLoadBalancer")
    for rule in group.properties["SecurityGroupIngress"]:
        rule["CidrIp"] = "192.0.2.10/32"


@nobody_gets_in.noticed
def _(cloud: Deployment) -> str | None:
    try:
        ask(f"{shop_url(cloud)}/", timeout=5)
    except OSError as error:
        return f"GET / gets no answer ({error})"
    return None


restless_shop = FAULTS.fault(
    "restless-shop",
    lesson="1.6",
    check="targets-healthy",
    may_fail=("shop-serves-menu", "service-keeps-tasks", "found-by-name"),
    left_out_by=WITHOUT_FARGATE,
    symptom='A guest: *"It is as if the shop had the hiccups. I read the menu, press a button, and it says **503 '
    "Service Temporarily Unavailable**. I wait a little, it is back, and then gone again. My order page breaks off "
    'every time."* Nobody finds an error in what the shop itself writes.',
    hints=(
        "It comes and goes by itself, again and again, like something that is being restarted. Is it? `aws ecs "
        "list-tasks` now and in a minute: are these the same tasks? ECS says what it does in the service's events.",
        "Tasks that are well are being replaced, because somebody thinks that they are not. The reason is with the "
        "last one that was stopped: `aws ecs list-tasks --desired-status STOPPED`, then `aws ecs describe-tasks "
        "--query 'tasks[].stoppedReason'`. And `aws elbv2 describe-target-health` tells which code the question gets.",
        "The load balancer asks for something that the shop does not have: `aws elbv2 describe-target-groups --query "
        "'TargetGroups[].HealthCheckPath'`. The code says `/health`. Somebody deployed other code: `cdk diff`, then "
        "deploy yours.",
    ),
    explanation=Explanation(
        cause="Somebody 'corrected' the path of the health check to `/healthz`, as it is called in another company. "
        "The shop answers that with 404, so the load balancer takes every task for ill, and ECS replaces each of "
        "them, for ever.",
        found_by="The service's events, *(port 8080) is unhealthy in (target-group ...) due to (reason Health checks "
        "failed with these codes: [404])*, and the stopped reason of the tasks. The shop's own log has no error, but "
        "every few seconds a line that is the whole answer: *GET /healthz 404*. On AWS also the metrics "
        "`UnHealthyHostCount` and `HTTPCode_ELB_5XX_Count`.",
        prevention="One constant for the path, used by the container's check and by the load balancer's, as in "
        "`Storefront`. A change of the path goes out with the version that answers it, so that the circuit breaker "
        "sees it fail.",
        page="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/troubleshoot-service-load-balancers.html",
    ),
    repair=DEPLOY_YOUR_CODE,
)


@restless_shop.on_template
def _(template: Template) -> None:
    (group,) = template.resources("AWS::ElasticLoadBalancingV2::TargetGroup", of="Storefront")
    group.properties["HealthCheckPath"] = "/healthz"


@restless_shop.noticed
def _(cloud: Deployment) -> str | None:
    answer = ask(f"{shop_url(cloud)}/api/menu")
    return f"/api/menu answers {answer.status}" if answer.status in (502, 503) else None


gone_since_four = FAULTS.fault(
    "gone-since-four",
    lesson="1.6",
    check="service-keeps-tasks",
    may_fail=("shop-serves-menu", "targets-healthy", "found-by-name"),
    left_out_by=WITHOUT_FARGATE,
    symptom='A guest: *"**503 Service Temporarily Unavailable**, since four o\'clock, and it stays like that."* A '
    'colleague has left a note: *"Friday, 4 pm: shipped the hotfix for the price labels by hand, deploying takes too '
    'long. It went through at once. Have a nice weekend!"*',
    hints=(
        "The load balancer answers and has nobody to ask. Are there tasks? `aws ecs describe-services`: how many are "
        "wanted, how many run, and *what* do they run? Compare its `taskDefinition` with the one that the stack made.",
        "They start and die. Why, stands in two places: the stopped reason of a task, and what it wrote last, in the "
        "log group `StorefrontLogGroupName` (`aws logs filter-log-events ... --query 'events[-5:].message'`).",
        "The hotfix is an image with a start command that does not exist, and it was shipped with everything switched "
        "off that would have taken it back. Give the service the stack's task definition again, and its deployment "
        "configuration: `aws ecs update-service`. `cdk deploy` changes nothing here, because the template never "
        "changed.",
    ),
    explanation=Explanation(
        cause="A colleague built an image on a laptop, pinned it in a task definition of its own and put that into "
        "the service by hand: without the circuit breaker, and with a minimum of 0 % healthy tasks so that it would "
        "go fast. The image starts a module that it does not have. So the good task was stopped first, and no new one "
        "ever came up.",
        found_by="`aws ecs describe-services` names a task definition that the stack does not know. The log has the "
        "start-up error, *No module named shop.server*; the stopped tasks have the exit code. On AWS "
        "`RunningTaskCount` is 0, and CloudTrail has the `UpdateService` with the name of the colleague.",
        prevention="The circuit breaker with rollback, and a minimum of 100 %: then the new version must be healthy "
        "before the old one goes, and this mistake costs nothing. Who may call `ecs:UpdateService` is a decision: a "
        "pipeline may.",
        page="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html",
    ),
    repair="""\
SERVICE="--cluster $(output StorefrontClusterName) --service $(output StorefrontServiceName)"
DEFINITION=$(aws cloudformation list-stack-resources --stack-name "$STACK" --output text \\
  --query "StackResourceSummaries[?ResourceType=='AWS::ECS::TaskDefinition'].PhysicalResourceId")
aws ecs update-service $SERVICE --task-definition "$DEFINITION" --query service.status --output text \\
  --deployment-configuration \\
  "deploymentCircuitBreaker={enable=true,rollback=true},minimumHealthyPercent=100,maximumPercent=200"
""",
)


@gone_since_four.out_of_band
def _(cloud: Deployment) -> Plan:
    service = service_of(cloud)
    ecs = cloud.client("ecs")
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    (shop,) = definition["containerDefinitions"]
    image = hotfix.of_image(cloud, shop["image"])
    # A family of its own for each time: so its first revision is the one, and what is removed is known beforehand.
    family = f"{definition['family']}-hotfix-{secrets.token_hex(3)}"
    kept = (
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "cpu",
        "memory",
        "requiresCompatibilities",
        "runtimePlatform",
    )
    where = {
        "cluster": cloud.outputs["StorefrontClusterName"],
        "service": cloud.outputs["StorefrontServiceName"],
    }
    before = service["deploymentConfiguration"]
    revision = f"{family}:1"
    return Plan(
        do=[
            *image.push,
            call(
                "ecs",
                "register_task_definition",
                family=family,
                containerDefinitions=[{**shop, "image": image.name}],
                **{name: definition[name] for name in kept if name in definition},
            ),
            call(
                "ecs",
                "update_service",
                **where,
                taskDefinition=revision,
                deploymentConfiguration={
                    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
                    "minimumHealthyPercent": 0,
                    "maximumPercent": 100,
                },
            ),
        ],
        undo=[
            call(
                "ecs",
                "update_service",
                **where,
                taskDefinition=service["taskDefinition"],
                deploymentConfiguration={
                    name: before[name]
                    for name in ("deploymentCircuitBreaker", "minimumHealthyPercent", "maximumPercent")
                    if name in before
                },
            )
        ],
        tidy=[
            call("ecs", "deregister_task_definition", taskDefinition=revision, unless=GONE),
            call("ecs", "delete_task_definitions", taskDefinitions=[revision], unless=GONE),
            image.remove,
        ],
        makes=(family, revision, image.tag),
        images=(image.tag,),
        beside=(image.repository,),
    )


@gone_since_four.noticed
def _(cloud: Deployment) -> str | None:
    answer = ask(f"{shop_url(cloud)}/")
    return f"GET / answers {answer.status}: {answer.text[:80]}" if answer.status >= 500 else None
