"""Where one local cloud keeps its files and which ports it uses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from brewhaven.errors import BrewHavenError

REPOSITORY = Path(__file__).resolve().parents[2]

# The example account number of the AWS documentation: nobody's account.
ACCOUNT_ID = "111122223333"
DEFAULT_REGION = "us-east-1"
DEFAULT_PORT = 4566
HOST = "127.0.0.1"


@dataclass(frozen=True)
class CloudSettings:
    """One local cloud: a folder, a port, an account and a region.

    Attributes:
        home: State folder of the tool; the cloud's files are in ``home / "cloud"``.
        port: HTTPS port of the AWS APIs on 127.0.0.1. The plain S3 door is ``port + 1``.
        region: Region for which templates are synthesized and deployed.
        account_id: Twelve digits.
    """

    home: Path
    port: int = DEFAULT_PORT
    region: str = DEFAULT_REGION
    account_id: str = ACCOUNT_ID

    @classmethod
    def from_environment(cls) -> CloudSettings:
        """Read ``BREWHAVEN_HOME``, ``BREWHAVEN_PORT`` and ``BREWHAVEN_REGION``; each has a default.

        Raises:
            BrewHavenError: ``BREWHAVEN_PORT`` is not a port number above 1023.
        """
        text = os.environ.get("BREWHAVEN_PORT", str(DEFAULT_PORT))
        if not text.isdecimal() or not 1024 <= int(text) <= 65000:
            raise BrewHavenError(
                f"BREWHAVEN_PORT must be a number from 1024 to 65000, got {text!r}.",
                "Unset it to use 4566.",
            )
        home = Path(os.environ.get("BREWHAVEN_HOME") or REPOSITORY / ".brewhaven").resolve()
        region = os.environ.get("BREWHAVEN_REGION", DEFAULT_REGION)
        return cls(home=home, port=int(text), region=region)

    @property
    def folder(self) -> Path:
        """Everything the cloud writes lies below this folder."""
        return self.home / "cloud"

    @property
    def endpoint(self) -> str:
        """Address of the AWS APIs, an IP so that SDKs use path-style S3."""
        return f"https://{HOST}:{self.port}"

    @property
    def s3_port(self) -> int:
        """Port of the plain HTTP door to S3 for browsers, which do not know the local CA."""
        return self.port + 1

    @property
    def s3_endpoint(self) -> str:
        """Address of the plain HTTP door to S3."""
        return f"http://{HOST}:{self.s3_port}"

    @property
    def pid_file(self) -> Path:
        return self.folder / "server.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def ca_file(self) -> Path:
        """The certificate that every client trusts."""
        return self.folder / "tls" / "ca.pem"

    @property
    def cli_configuration(self) -> Path:
        """Configuration of the AWS CLI, without profiles."""
        return self.folder / "aws-config"

    @property
    def credentials_file(self) -> Path:
        """The operator's access key, readable by the owner alone."""
        return self.folder / "operator.json"
