"""Storefront: the shop on Fargate, behind a load balancer."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.shop_runtime import SHOP_PORT, ShopRuntime
from brew_constructs.sources import STOREFRONT

MOST_TASKS = 4
HEALTH_PATH = "/health"
CLOUD_MAP_NAME = "storefront"


class Storefront(Construct):
    """The shop as a Fargate service: tasks that AWS runs, behind an Application Load Balancer.

    A task is in a public subnet, because without a NAT gateway that is its way to its image and to AWS; its security
    group lets in the load balancer alone. Inside the network other services find the tasks as
    `storefront.<namespace>`, a name that Cloud Map keeps up to date.

    A deployment starts the new tasks before it stops the old ones. If they do not become healthy, the circuit breaker
    gives up and puts the old version back. More tasks are added while they use more than 60 % of their processor.

    Later phases reach the shop through what is here from the start, and change nothing of it: `task_role` gets further
    policies, `security_group` is open outbound so that a database can admit it, and the process rereads the parameter
    that `ShopRuntime` describes.

    :param vpc: the network, with public subnets.
    :param runtime: the environment and the permissions of the shop's process.
    :param allowed_cidr: the only addresses that the load balancer lets in, on port 80.
    :param namespace_name: the private DNS name under which services of this network find each other.
    :param least_tasks: how many tasks run when nothing is going on, 1 (the default) to 4. Two or more survive the loss
        of a zone, and cost accordingly.
    :param image_directory: the folder of the Dockerfile, whose .dockerignore says what belongs to the image. By default
        `storefront/`.
    :raises ValueError: when `least_tasks` is out of range.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-best-practices.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        vpc: ec2.IVpc,
        runtime: ShopRuntime,
        allowed_cidr: str,
        namespace_name: str,
        least_tasks: int = 1,
        image_directory: Path = STOREFRONT,
    ) -> None:
        super().__init__(scope, id_)
        if not 1 <= least_tasks <= MOST_TASKS:
            raise ValueError(f"least_tasks must be 1 to {MOST_TASKS}, got {least_tasks}")
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=vpc,
            default_cloud_map_namespace=ecs.CloudMapNamespaceOptions(
                name=namespace_name, type=servicediscovery.NamespaceType.DNS_PRIVATE, vpc=vpc
            ),
        )
        self.log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_WEEK, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        self.task_definition = self._task(runtime, image_directory)
        self.task_role = self.task_definition.task_role
        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description="The shop on Fargate: in from the load balancer, out to anywhere",
        )
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=self.cluster,
            task_definition=self.task_definition,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            assign_public_ip=True,
            security_groups=[self.security_group],
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period=cdk.Duration.seconds(60),
            cloud_map_options=ecs.CloudMapOptions(
                name=CLOUD_MAP_NAME,
                dns_record_type=servicediscovery.DnsRecordType.A,
                dns_ttl=cdk.Duration.seconds(10),
            ),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        self.load_balancer = self._balance(vpc, allowed_cidr)
        # No desired_count above: each deployment would set it again and undo what the scaling has decided.
        self.scaling = self.service.auto_scale_task_count(min_capacity=least_tasks, max_capacity=MOST_TASKS)
        self.scaling.scale_on_cpu_utilization("Cpu", target_utilization_percent=60)
        self._accept()

    @property
    def url(self) -> str:
        """Where the shop answers."""
        return f"http://{self.load_balancer.load_balancer_dns_name}"

    def _task(self, runtime: ShopRuntime, image_directory: Path) -> ecs.FargateTaskDefinition:
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=256,
            memory_limit_mib=512,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
        )
        task.add_container(
            "Shop",
            image=ecs.ContainerImage.from_asset(str(image_directory), platform=ecr_assets.Platform.LINUX_ARM64),
            environment=runtime.environment,
            port_mappings=[ecs.PortMapping(container_port=SHOP_PORT)],
            logging=ecs.LogDriver.aws_logs(stream_prefix="shop", log_group=self.log_group),
            health_check=ecs.HealthCheck(
                command=["CMD", "python", "-c", _ask(HEALTH_PATH)],
                interval=cdk.Duration.seconds(15),
                timeout=cdk.Duration.seconds(5),
                retries=3,
                start_period=cdk.Duration.seconds(30),
            ),
            readonly_root_filesystem=True,
        )
        runtime.grant_to(task.task_role)
        return task

    def _balance(self, vpc: ec2.IVpc, allowed_cidr: str) -> elbv2.ApplicationLoadBalancer:
        balancer = elbv2.ApplicationLoadBalancer(
            self, "LoadBalancer", vpc=vpc, internet_facing=True, drop_invalid_header_fields=True
        )
        listener = balancer.add_listener("Http", port=80, open=False)
        listener.connections.allow_default_port_from(ec2.Peer.ipv4(allowed_cidr), "Customers at the allowed addresses")
        listener.add_targets(
            "Shop",
            port=SHOP_PORT,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[self.service],
            # Longer than the shop's longest answer (it holds a question about an order for up to 25 seconds).
            deregistration_delay=cdk.Duration.seconds(30),
            health_check=elbv2.HealthCheck(
                path=HEALTH_PATH,
                interval=cdk.Duration.seconds(15),
                timeout=cdk.Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )
        return balancer

    def _accept(self) -> None:
        acknowledge(
            self.cluster,
            {
                "AwsSolutions-ECS4": "Container Insights bills every metric of every task. Processor, memory and the "
                "load balancer's counts come without it and answer the questions that this shop has."
            },
        )
        acknowledge(
            self.task_definition,
            {
                "AwsSolutions-ECS2": "The variables are names and ARNs, which are no secrets. The one secret is read "
                "at run time, with the task's role, and never stands in a task definition."
            },
        )
        acknowledge(
            self.task_definition.obtain_execution_role(),
            {
                "AwsSolutions-IAM5[Resource::*]": "To log in to the image registry is an action on the whole registry. "
                "Pulling, which comes after it, is allowed for this image's repository alone."
            },
        )
        acknowledge(
            self.load_balancer,
            {
                "AwsSolutions-ELB2": "Access logs need a bucket of their own, and the shop writes a line for each "
                "request already. Where a firewall and a content network come in front, theirs are the logs to keep."
            },
        )


def _ask(path: str) -> str:
    """A line of Python that fails unless the shop answers: the image has Python, but no curl."""
    return f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{SHOP_PORT}{path}', timeout=4)"
