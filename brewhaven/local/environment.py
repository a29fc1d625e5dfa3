"""The environments of the processes around the local cloud: the server's own, and that of its clients."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from brewhaven import toolchain
from brewhaven.local.operator import OperatorKey
from brewhaven.local.settings import HOST, CloudSettings

# What a child process may take over from the machine; nothing that carries credentials, proxies or AWS settings.
_HARMLESS = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", "USER")


def scrubbed(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the harmless part of an environment (default: this process's)."""
    source = os.environ if environment is None else environment
    return {name: source[name] for name in _HARMLESS if name in source}


def _without_aws_profile(folder: Path) -> dict[str, str]:
    """Point the SDKs at files that do not exist, so that no profile of the machine leaks in."""
    return {
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        # A few APIs (Cloud Map, Step Functions) put a prefix before the host's name, which an IP address has not.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


def server_environment(settings: CloudSettings) -> dict[str, str]:
    """Environment in which the emulator runs: IAM enforced, TLS on, loopback only, files in the state folder."""
    folder = settings.folder
    temporary = folder / "tmp"
    return {
        **scrubbed(),
        **_without_aws_profile(folder),
        # The CDK's Node custom resources run on the pinned Node and import the SDK clients that package.json pins.
        "PATH": toolchain.search_path(os.environ.get("PATH", os.defpath)),
        "NODE_PATH": str(toolchain.NODE_MODULES),
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(folder / "tls" / "server.pem"),
        "MINISTACK_SSL_KEY": str(folder / "tls" / "server.key"),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_ACCOUNT_ID": settings.account_id,
        "MINISTACK_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(temporary),
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # The emulator must never find a Docker engine: what runs here are processes of this machine.
        "DOCKER_HOST": "unix:///nonexistent",
        "BREWHAVEN_HOME": str(settings.home),
        "BREWHAVEN_PORT": str(settings.port),
        "BREWHAVEN_REGION": settings.region,
        # Python clients inside the server and the Lambda workers that inherit from it trust the local CA.
        "AWS_CA_BUNDLE": str(settings.ca_file),
        "SSL_CERT_FILE": str(settings.ca_file),
        "NODE_EXTRA_CA_CERTS": str(settings.ca_file),
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ENDPOINT_URL_S3": settings.s3_endpoint,
    }


def client_environment(settings: CloudSettings, key: OperatorKey) -> dict[str, str]:
    """Variables with which plain ``cdk``, ``aws`` and boto3 reach the local cloud as its operator.

    Only standard variables of the SDKs and the CDK CLI, and those by which our own commands find this cloud: nothing of
    what is deployed knows that a local cloud exists.
    """
    return {
        **_without_aws_profile(settings.folder),
        "AWS_CONFIG_FILE": str(settings.cli_configuration),
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ENDPOINT_URL_S3": settings.s3_endpoint,
        "AWS_CA_BUNDLE": str(settings.ca_file),
        "NODE_EXTRA_CA_CERTS": str(settings.ca_file),
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "CDK_DEFAULT_ACCOUNT": settings.account_id,
        "CDK_DEFAULT_REGION": settings.region,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "AWS_PAGER": "",
        # The CDK CLI publishes image assets with this program (docs/decisions/0009-local-containers.md).
        "CDK_DOCKER": str(Path(sys.executable).parent / "brewhaven-image-builder"),
        "BREWHAVEN_HOME": str(settings.home),
        "BREWHAVEN_PORT": str(settings.port),
    }
