"""Which cloud the tool's commands act on: the local one or AWS, and the environment that reaches exactly that one.

The choice is kept in ``<BREWHAVEN_HOME>/target.json``. The two never mix: what reaches the local cloud is built from
nothing, so that no credential of the machine is in it, and what reaches AWS has every variable of a local shell
removed, so that a forgotten endpoint cannot answer in AWS's place.
"""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.request
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from brewhaven import toolchain
from brewhaven.errors import BrewHavenError
from brewhaven.local import lifecycle
from brewhaven.local.environment import scrubbed
from brewhaven.local.settings import CloudSettings

Name = Literal["local", "aws"]

# Set by `brewhaven env` so that a shell knows which cloud its variables are for.
SHELL_MARK = "BREWHAVEN_SHELL"
# What a local shell must not inherit: each would lead the SDKs somewhere else.
FOREIGN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
CHECK_IP = "https://checkip.amazonaws.com"


class TargetError(BrewHavenError):
    """The chosen cloud cannot be reached as asked."""


@dataclass(frozen=True)
class Target:
    """A cloud, ready to be used.

    Attributes:
        name: ``local`` or ``aws``.
        account: Twelve digits.
        region: Where the stacks are.
        environment: The whole environment for a child process that talks to this cloud.
    """

    name: Name
    account: str
    region: str
    environment: Mapping[str, str] = field(repr=False)
    _session: Any = field(repr=False, compare=False)

    @property
    def is_local(self) -> bool:
        return self.name == "local"

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, whatever the environment of this process says."""
        endpoint = None
        if self.is_local:
            endpoint = self.environment["AWS_ENDPOINT_URL_S3" if service == "s3" else "AWS_ENDPOINT_URL"]
        retries: Any = {"mode": "standard", "max_attempts": 5}
        return self._session.client(
            service,
            region_name=self.region,
            endpoint_url=endpoint,
            verify=self.environment.get("AWS_CA_BUNDLE") if self.is_local else None,
            config=Config(retries=retries, connect_timeout=10),
        )

    def acting_as(self, keys: Mapping[str, str]) -> Target:
        """The same cloud, asked with a role's temporary keys as ``sts:AssumeRole`` answers them."""
        session = boto3.Session(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        return replace(self, _session=session)


def chosen(settings: CloudSettings) -> Name:
    """The cloud that `brewhaven use` chose; the local one until it did."""
    try:
        name = json.loads(_file(settings).read_text()).get("target")
    except FileNotFoundError:
        return "local"
    except (json.JSONDecodeError, AttributeError):
        name = None
    if name not in ("local", "aws"):
        raise TargetError(
            f"{_file(settings)} does not say which cloud to use.", "Run `brewhaven use local` or `brewhaven use aws`."
        )
    return "aws" if name == "aws" else "local"


def choose(settings: CloudSettings, name: Name) -> None:
    """Keep the choice for all later commands."""
    settings.home.mkdir(parents=True, exist_ok=True)
    _file(settings).write_text(json.dumps({"target": name}) + "\n")


def _file(settings: CloudSettings) -> Any:
    return settings.home / "target.json"


def current(settings: CloudSettings) -> Target:
    """The chosen cloud, checked: the local one runs, or AWS accepts the credentials.

    Raises:
        TargetError: It does not.
    """
    return local(settings) if chosen(settings) == "local" else aws(settings)


def local(settings: CloudSettings) -> Target:
    """The local cloud.

    Raises:
        TargetError: It does not run.
    """
    if lifecycle.running_pid(settings) is None or not lifecycle.is_healthy(settings):
        raise TargetError(
            f"The local cloud does not run (nothing answers on {settings.endpoint}).",
            "Start it with `brewhaven local up`, or with `make up` together with the shop.",
        )
    variables = lifecycle.environment(settings)
    environment = toolchain.with_tools({**scrubbed(), **variables}, settings.home)
    return Target("local", settings.account_id, settings.region, environment, _isolated_session(variables))


def _isolated_session(variables: Mapping[str, str]) -> boto3.Session:
    """A session that reads neither a profile nor a file of this machine."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, variables["AWS_CONFIG_FILE"], None),
            "credentials_file": (None, None, variables["AWS_SHARED_CREDENTIALS_FILE"], None),
        }
    )
    return boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        botocore_session=core,
    )


def aws(settings: CloudSettings) -> Target:
    """AWS, with the credentials of this shell.

    Raises:
        TargetError: There are none, AWS refuses them, no region is set, or a variable leads somewhere else.
    """
    leave_local_shell(os.environ, settings)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        if os.environ.get(name):
            raise TargetError(f"{name} is set to {os.environ[name]}, which is not AWS.", f"Run `unset {name}`.")
    remedy = (
        "Sign in (`aws configure sso` and `aws sso login`, or `aws configure`), then run `brewhaven use aws` again."
    )
    try:
        session = boto3.Session()
        region = session.region_name
        if not region:
            raise TargetError("No AWS region is chosen.", "Run `export AWS_REGION=eu-central-1` (or your own).")
        account = session.client("sts", region_name=region).get_caller_identity()["Account"]
    except ClientError as error:
        raise TargetError(f"AWS refuses these credentials: {error.response['Error']['Message']}", remedy) from error
    except BotoCoreError as error:
        raise TargetError(f"AWS cannot be reached with the credentials of this shell: {error}", remedy) from error
    environment = {
        **toolchain.with_tools(os.environ, settings.home),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    return Target("aws", account, region, environment, session)


def local_names(settings: CloudSettings) -> tuple[str, ...]:
    """Names of the variables that lead a shell to the local cloud."""
    if not settings.credentials_file.exists():
        return ()
    # The tool's own settings say where the local cloud is and lead nobody there, so a shell keeps them.
    return tuple(name for name in lifecycle.environment(settings) if not name.startswith("BREWHAVEN_"))


def leave_local_shell(environment: MutableMapping[str, str], settings: CloudSettings) -> None:
    """Remove what `brewhaven env` set for the local cloud, so that a shell of its can be used for AWS."""
    if environment.get(SHELL_MARK) != "local" and not _is_loopback(environment.get("AWS_ENDPOINT_URL")):
        return
    for name in (SHELL_MARK, *local_names(settings)):
        environment.pop(name, None)


def _is_loopback(url: str | None) -> bool:
    return bool(url) and urlsplit(url).hostname in ("127.0.0.1", "localhost")


def own_address() -> str:
    """This machine's public IPv4 address as a range of one, asked from AWS.

    Raises:
        TargetError: Nobody could say.
    """
    try:
        with urllib.request.urlopen(CHECK_IP, timeout=10) as answer:
            return f"{ipaddress.IPv4Address(answer.read().decode().strip())}/32"
    except (OSError, ValueError) as error:
        raise TargetError(
            f"Your own internet address could not be found out from {CHECK_IP} ({error}).",
            "Give it yourself: `--allowed-cidr 203.0.113.7/32`.",
        ) from error
