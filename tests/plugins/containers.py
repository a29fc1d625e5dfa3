"""A tiny web service for tests of containers: an image without dependencies, and the stack that runs it on Fargate."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.plugins.local_cloud import Cloud

REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "tiny"

SERVER = """
import http.server, json, os, pathlib, sys, time, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/environment":
            answer = dict(os.environ)
        elif self.path == "/headers":
            answer = dict(self.headers)
        elif self.path == "/slow":
            time.sleep(2)
            answer = {"slowly": "answered"}
        elif self.path == "/credentials":
            request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
                headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]})
            try:
                answer = json.load(urllib.request.urlopen(request))
            except urllib.error.HTTPError as error:
                answer = {"refused": error.code, **json.load(error)}
        elif self.path.startswith("/fetch?"):
            try:
                answer = {"body": urllib.request.urlopen(self.path.split("?", 1)[1], timeout=5).read().decode()}
            except OSError as error:
                answer = {"error": str(error)}
        else:
            answer = {"pid": os.getpid(), "path": self.path, "said": pathlib.Path("said.txt").read_text()}
        body = json.dumps(answer).encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("serving", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
"""

DOCKERFILE = """
FROM python:3.12-slim
WORKDIR /app
COPY server.py said.txt ./
ENV GREETING=hello
EXPOSE 8080
CMD ["python", "server.py"]
"""


@dataclass
class Service:
    """A stack with one service; change ``properties`` and friends before ``deploy``."""

    cloud: Cloud
    name: str
    image: str
    desired: int = 1
    container: dict[str, Any] = field(default_factory=dict)
    definition: dict[str, Any] = field(default_factory=dict)
    service: dict[str, Any] = field(default_factory=dict)
    task_policy: list[dict[str, Any]] = field(default_factory=list)
    execution_policy: list[dict[str, Any]] | None = None
    health_path: str = "/health"
    balancer_ingress: str = "127.0.0.1/32"
    task_ingress: bool = True
    resources: dict[str, Any] = field(default_factory=dict)
    last_words: str = ""
    stopped: list[dict[str, Any]] = field(default_factory=list)
    _address: str = ""
    _over: threading.Event = field(default_factory=threading.Event)

    def deploy(self) -> str:
        """Create or update the stack and return its final status."""
        watcher = threading.Thread(target=self._listen, daemon=True)
        self._over.clear()
        watcher.start()
        try:
            return self._deploy()
        finally:
            self._over.set()
            watcher.join()

    def _listen(self) -> None:
        """Keep log and tasks: a stack that is rolled back takes its log group and its cluster with it."""
        while not self._over.wait(0.3):
            with suppress(ClientError):
                self.last_words = self.log() or self.last_words
            with suppress(ClientError):
                self.stopped = self.tasks("STOPPED") or self.stopped

    def _deploy(self) -> str:
        cloudformation = self.cloud.client("cloudformation")
        arguments = {
            "StackName": self.name,
            "TemplateBody": json.dumps({"Resources": self._resources(), "Outputs": self._outputs()}),
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        try:
            cloudformation.create_stack(**arguments)
            waiter = cloudformation.get_waiter("stack_create_complete")
        except cloudformation.exceptions.AlreadyExistsException:
            cloudformation.update_stack(**arguments)
            waiter = cloudformation.get_waiter("stack_update_complete")
        with suppress(WaiterError):  # The status says it.
            waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.4, "MaxAttempts": 400})
        return str(cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])

    def failures(self) -> list[str]:
        """Reasons of the resources that failed."""
        events = self.cloud.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("_FAILED")]

    def delete(self) -> None:
        """Delete the stack and wait."""
        cloudformation = self.cloud.client("cloudformation")
        cloudformation.delete_stack(StackName=self.name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 0.3, "MaxAttempts": 200}
        )

    def output(self, key: str) -> str:
        """An output of the stack."""
        stack = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}[key]

    @property
    def url(self) -> str:
        """Address of the load balancer."""
        self._address = self._address or self.output("Address")
        return f"http://{self._address}"

    def get(self, path: str = "/") -> dict[str, Any]:
        """Ask the service through the load balancer."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return dict(json.load(answer))

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        """The tasks of the service."""
        ecs = self.cloud.client("ecs")
        arns = ecs.list_tasks(cluster=self.name, desiredStatus=status)["taskArns"]
        return list(ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"]) if arns else []

    def events(self) -> list[str]:
        """What the service says it has done, the newest first."""
        found = self.cloud.client("ecs").describe_services(cluster=self.name, services=["web"])["services"]
        return [event["message"] for service in found for event in service["events"]]

    def log(self) -> str:
        """Everything that the containers wrote."""
        logs = self.cloud.client("logs")
        return "\n".join(e["message"] for e in logs.filter_log_events(logGroupName=f"/{self.name}")["events"])

    def health(self) -> list[dict[str, Any]]:
        """TargetHealth of each target."""
        elb = self.cloud.client("elbv2")
        found = elb.describe_target_health(TargetGroupArn=self.output("Group"))["TargetHealthDescriptions"]
        return [description["TargetHealth"] for description in found]

    def _outputs(self) -> dict[str, Any]:
        return {
            "Address": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
            "Group": {"Value": {"Ref": "Group"}},
            "TaskGroup": {"Value": {"Ref": "TaskGroup"}},
            "BalancerGroup": {"Value": {"Ref": "BalancerGroup"}},
        }

    def _resources(self) -> dict[str, Any]:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
            ],
        }
        execution = self.execution_policy
        if execution is None:
            execution = [{"Effect": "Allow", "Action": ["ecr:*", "logs:*"], "Resource": "*"}]
        subnets = [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
        return {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
            **{
                f"Subnet{zone}": {
                    "Type": "AWS::EC2::Subnet",
                    "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": f"10.7.{number}.0/24"},
                }
                for number, zone in enumerate("AB")
            },
            "BalancerGroup": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {
                    "GroupDescription": "balancer",
                    "VpcId": {"Ref": "Vpc"},
                    "SecurityGroupIngress": [
                        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": self.balancer_ingress}
                    ],
                },
            },
            "TaskGroup": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {
                    "GroupDescription": "task",
                    "VpcId": {"Ref": "Vpc"},
                    "SecurityGroupIngress": [
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 8080,
                            "ToPort": 8080,
                            "SourceSecurityGroupId": {"Ref": "BalancerGroup"},
                        }
                    ]
                    if self.task_ingress
                    else [],
                },
            },
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{self.name}"}},
            **{
                name: {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "RoleName": f"{self.name}-{name}",
                        "AssumeRolePolicyDocument": trust,
                        "Policies": [
                            {"PolicyName": "it", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
                        ]
                        if statements
                        else [],
                    },
                }
                for name, statements in (("TaskRole", self.task_policy), ("ExecutionRole", execution))
            },
            "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": self.name}},
            "Definition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "Family": self.name,
                    "NetworkMode": "awsvpc",
                    "RequiresCompatibilities": ["FARGATE"],
                    "Cpu": "256",
                    "Memory": "512",
                    "TaskRoleArn": {"Fn::GetAtt": ["TaskRole", "Arn"]},
                    "ExecutionRoleArn": {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
                    "ContainerDefinitions": [
                        {
                            "Name": "web",
                            "Image": self.image,
                            "Essential": True,
                            "PortMappings": [{"ContainerPort": 8080}],
                            "LogConfiguration": {
                                "LogDriver": "awslogs",
                                "Options": {
                                    "awslogs-group": {"Ref": "Logs"},
                                    "awslogs-region": "us-east-1",
                                    "awslogs-stream-prefix": "web",
                                },
                            },
                            **self.container,
                        }
                    ],
                    **self.definition,
                },
            },
            "Balancer": {
                "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "Properties": {"Subnets": subnets, "SecurityGroups": [{"Ref": "BalancerGroup"}]},
            },
            "Group": {
                "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
                "Properties": {
                    "Port": 8080,
                    "Protocol": "HTTP",
                    "TargetType": "ip",
                    "VpcId": {"Ref": "Vpc"},
                    "HealthCheckPath": self.health_path,
                    "HealthCheckIntervalSeconds": 5,
                    "UnhealthyThresholdCount": 2,
                },
            },
            "Listener": {
                "Type": "AWS::ElasticLoadBalancingV2::Listener",
                "Properties": {
                    "LoadBalancerArn": {"Ref": "Balancer"},
                    "Port": 80,
                    "Protocol": "HTTP",
                    "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
                },
            },
            "Service": {
                "Type": "AWS::ECS::Service",
                "DependsOn": ["Listener"],
                "Properties": {
                    "ServiceName": "web",
                    "Cluster": {"Ref": "Cluster"},
                    "TaskDefinition": {"Ref": "Definition"},
                    "DesiredCount": self.desired,
                    "LaunchType": "FARGATE",
                    "LoadBalancers": [
                        {"ContainerName": "web", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Group"}}
                    ],
                    "NetworkConfiguration": {
                        "AwsvpcConfiguration": {"Subnets": subnets, "SecurityGroups": [{"Ref": "TaskGroup"}]}
                    },
                    "DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
                    **self.service,
                },
            },
            **self.resources,
        }


def run_builder(cloud: Cloud, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the image builder as the CDK CLI does."""
    return subprocess.run(
        [sys.executable, "-m", "brewhaven.local.builder", *arguments],
        env={**os.environ, **cloud.environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def log_in(cloud: Cloud, **credentials: str) -> None:
    """Fetch a registry token and hand it to the builder."""
    [data] = cloud.client("ecr", **credentials).get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    done = run_builder(cloud, "login", "--username", user, "--password-stdin", REGISTRY, stdin=password)
    assert done.returncode == 0, done.stderr


def push_image(cloud: Cloud, folder: Path, tag: str, files: dict[str, str]) -> str:
    """Write files to a folder, build and push them; return the image's name."""
    context = folder / tag
    for name, content in files.items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(content)
    name = f"{REGISTRY}/{REPOSITORY}:{tag}"
    built = run_builder(cloud, "build", "--tag", name, "--platform", "linux/arm64", str(context))
    assert built.returncode == 0, built.stderr
    log_in(cloud)
    pushed = run_builder(cloud, "push", name)
    assert pushed.returncode == 0, pushed.stderr
    return name


TINY = {"Dockerfile": DOCKERFILE, "server.py": SERVER, "said.txt": "good morning"}


@pytest.fixture(scope="session")
def images(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Function (tag, **changed files) -> name of an image that is in ECR."""
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName=REPOSITORY)
    folder = tmp_path_factory.mktemp("images")
    known: dict[str, str] = {}

    def image(tag: str = "good", files: dict[str, str] | None = None) -> str:
        if tag not in known:
            known[tag] = push_image(cloud, folder, tag, files if files is not None else TINY)
        return known[tag]

    return image


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for a condition and return its first true value."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = condition()
        except (OSError, urllib.error.URLError):
            value = None
        if value or time.monotonic() > deadline:
            assert value, "it did not happen in time"
            return value
        time.sleep(0.1)
