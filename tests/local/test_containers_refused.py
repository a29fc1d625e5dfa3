"""What stops a task, in the words of ECS, and a deployment that goes wrong (engines/tasks.py, service_monitor.py)."""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from tests.plugins.containers import DOCKERFILE, SERVER, TINY, Service, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

BROKEN = {**TINY, "server.py": "import sys\nprint('the till is broken', flush=True)\nsys.exit(3)\n"}


def allow(*actions: str) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]


@pytest.fixture
def service(cloud: Cloud, images: Callable[..., str], request: pytest.FixtureRequest) -> Iterator[Service]:
    """A service that is not deployed yet; deleted afterwards."""
    name = f"r{zlib.crc32(request.node.name.encode())}"
    service = Service(cloud, name, images())
    yield service
    service.delete()


def first_stop(service: Service) -> str:
    """Why the first task stopped."""
    return str(min(service.stopped, key=lambda task: task["createdAt"])["stoppedReason"])


def test_a_task_without_grant_is_denied_and_allowed_after_it(service: Service) -> None:
    assert service.deploy() == "CREATE_COMPLETE"
    keys = service.get("/credentials")
    assert keys["RoleArn"].endswith(f"{service.name}-TaskRole")
    table = boto3.client(
        "dynamodb",
        endpoint_url=service.cloud.environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        verify=service.cloud.environment["AWS_CA_BUNDLE"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["Token"],
    )
    with pytest.raises(table.exceptions.ClientError, match="not authorized to perform: dynamodb:ListTables"):
        table.list_tables()
    service.task_policy = allow("dynamodb:ListTables")
    assert service.deploy() == "UPDATE_COMPLETE"
    table.list_tables()


def test_a_task_without_task_role_has_no_credentials(service: Service) -> None:
    service.definition = {"TaskRoleArn": {"Ref": "AWS::NoValue"}}
    assert service.deploy() == "CREATE_COMPLETE"
    assert service.get("/credentials")["refused"] == 404


def test_another_tasks_token_opens_nothing(service: Service) -> None:
    assert service.deploy() == "CREATE_COMPLETE"
    address = service.get("/environment")["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(urllib.request.Request(address, headers={"Authorization": "guess"}))
    assert refusal.value.code == 403


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (allow("logs:*"), "ResourceInitializationError: .*ecr registry auth: .*perform: ecr:GetAuthorizationToken"),
        (allow("logs:*", "ecr:GetAuthorizationToken"), "CannotPullContainerError: .*ecr:BatchCheckLayerAvailability"),
        (allow("ecr:*"), "ResourceInitializationError: .*failed to validate logger args: .*logs:CreateLogStream"),
    ],
)
def test_what_the_execution_role_may_not_do_stops_the_task(service: Service, policy: Any, reason: str) -> None:
    service.execution_policy = policy
    assert service.deploy() == "ROLLBACK_COMPLETE"
    assert re.search(reason, first_stop(service))


def test_secrets_are_read_with_the_execution_role(service: Service) -> None:
    service.resources = {
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": '{"till": "open sesame"}'}}
    }
    service.container = {"Secrets": [{"Name": "TILL", "ValueFrom": {"Fn::Sub": "${Secret.Id}:till::"}}]}
    service.execution_policy = allow("ecr:*", "logs:*", "secretsmanager:GetSecretValue")
    assert service.deploy() == "CREATE_COMPLETE", service.failures()
    assert service.get("/environment")["TILL"] == "open sesame"


def test_a_secret_without_grant_stops_the_task(service: Service) -> None:
    service.resources = {
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "open sesame"}}
    }
    service.container = {"Secrets": [{"Name": "TILL", "ValueFrom": {"Fn::GetAtt": ["Secret", "Id"]}}]}
    assert service.deploy() == "ROLLBACK_COMPLETE"
    assert "unable to retrieve secret from asm" in first_stop(service)
    assert "not authorized to perform: secretsmanager:GetSecretValue" in first_stop(service)


def test_a_forgotten_file_fails(service: Service, images: Callable[..., str]) -> None:
    dockerfile = DOCKERFILE.replace("COPY server.py said.txt ./", "COPY server.py ./")
    server = "open('said.txt')\n" + SERVER
    service.image = images("forgotten-file", {**TINY, "Dockerfile": dockerfile, "server.py": server})
    assert service.deploy() == "ROLLBACK_COMPLETE"
    assert "No such file or directory: 'said.txt'" in service.last_words


def test_a_package_of_the_tool_is_not_there(service: Service, images: Callable[..., str]) -> None:
    service.image = images("forgotten-package", {**TINY, "server.py": "import boto3\n" + SERVER})
    assert service.deploy() == "ROLLBACK_COMPLETE"
    assert "No module named 'boto3'" in service.last_words


def test_a_broken_revision_is_rolled_back(service: Service, images: Callable[..., str]) -> None:
    good = service.image
    assert service.deploy() == "CREATE_COMPLETE"
    before = service.get()["pid"]
    service.image = images("broken", BROKEN)
    assert service.deploy() == "UPDATE_ROLLBACK_COMPLETE"
    [reason, *_] = [text for text in service.failures() if "Circuit Breaker" in text]
    assert "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'" in reason
    assert "Essential container exited (exit code 3)" in reason
    assert service.get()["pid"] == before
    assert "the till is broken" in service.log()
    [running] = service.tasks()
    assert running["containers"][0]["image"] == good
    ecs = service.cloud.client("ecs")
    [cluster] = [arn for arn in ecs.list_clusters()["clusterArns"] if arn.endswith(f"/{service.name}")]
    [name] = ecs.list_services(cluster=cluster)["serviceArns"]
    # The failed deployment is no longer listed, or this would wait for ever.
    ecs.get_waiter("services_stable").wait(
        cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )


def test_a_new_revision_replaces_the_old_without_a_failed_request(service: Service, images: Callable[..., str]) -> None:
    assert service.deploy() == "CREATE_COMPLETE"
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answers.append(service.get()["said"])

    asking = threading.Thread(target=ask)
    asking.start()
    service.image = images("evening", {**TINY, "said.txt": "good evening"})
    assert service.deploy() == "UPDATE_COMPLETE"
    until(lambda: answers[-1] == "good evening")
    over.set()
    asking.join()
    assert asking.is_alive() is False
    assert set(answers) == {"good morning", "good evening"}


def test_a_request_that_is_being_answered_outlives_its_task(service: Service) -> None:
    assert service.deploy() == "CREATE_COMPLETE"
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(service.get("/slow")))
    asking.start()
    [task] = service.tasks()
    threading.Event().wait(0.5)  # The request is on its way.
    service.cloud.client("ecs").stop_task(cluster=service.name, task=task["taskArn"])
    asking.join()
    assert answers == [{"slowly": "answered"}]


def test_tasks_are_replaced_when_the_services_network_changes(service: Service) -> None:
    assert service.deploy() == "CREATE_COMPLETE"
    before = service.get()["pid"]
    service.service = {
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": [{"Ref": "SubnetB"}],
                "SecurityGroups": [{"Ref": "TaskGroup"}],
            }
        }
    }
    assert service.deploy() == "UPDATE_COMPLETE", service.failures()
    assert service.get()["pid"] != before
    assert service.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"].startswith("10.7.1.")


ONE_FAILURE = {
    "DeploymentCircuitBreaker": {
        "Enable": True, "Rollback": True, "ThresholdConfiguration": {"Type": "COUNT", "Value": 1},
    }
}  # fmt: skip


def test_a_task_that_listens_elsewhere_never_becomes_healthy(service: Service) -> None:
    service.container = {"Environment": [{"Name": "PORT", "Value": "9999"}]}
    service.service = {"DeploymentConfiguration": ONE_FAILURE}
    assert service.deploy() == "ROLLBACK_COMPLETE"
    [reason, *_] = [text for text in service.failures() if "Circuit Breaker" in text]
    assert "Task failed ELB health checks" in reason


def test_a_wrong_health_path_is_named(service: Service) -> None:
    service.health_path = "/missing"
    service.service = {"DeploymentConfiguration": ONE_FAILURE}
    assert service.deploy() == "ROLLBACK_COMPLETE"
    [reason, *_] = [text for text in service.failures() if "Circuit Breaker" in text]
    assert "Health checks failed with these codes: [404]" in reason


def test_a_service_says_why_it_replaces_a_task(service: Service) -> None:
    assert service.deploy() == "CREATE_COMPLETE", service.failures()
    service.health_path = "/missing"
    assert service.deploy() == "UPDATE_COMPLETE"
    [task] = service.tasks()
    name = task["taskArn"].rsplit("/", 1)[-1]
    said = f"(task {name}) (port 8080) is unhealthy in (target-group arn:aws:elasticloadbalancing:"
    assert until(lambda: [text for text in service.events() if said in text and "codes: [404])" in text])


def test_a_failing_container_health_check_replaces_the_task(service: Service) -> None:
    check = {"Command": ["CMD-SHELL", "exit 1"], "Interval": 5, "Retries": 1}
    service.container = {"HealthCheck": check}
    assert service.deploy() == "ROLLBACK_COMPLETE"
    assert first_stop(service) == "Task failed container health checks"


def test_a_container_health_check_runs_in_the_container(service: Service) -> None:
    words = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health')"
    service.container = {"HealthCheck": {"Command": ["CMD", "python", "-c", words]}}
    assert service.deploy() == "CREATE_COMPLETE", service.failures()
    [task] = service.tasks()
    assert task["healthStatus"] == task["containers"][0]["healthStatus"] == "HEALTHY"
