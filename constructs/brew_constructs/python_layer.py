"""PythonLayer: the libraries that the functions share, built without a container."""

import hashlib
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from brew_constructs.sources import CERTIFICATES, LAMBDA_LIBRARIES

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
CERTIFICATES_IN_FUNCTIONS = f"/opt/certs/{CERTIFICATES.name}"

_PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
"""Amazon Linux 2023, on which the runtime stands, has glibc 2.34."""


class LayerError(Exception):
    """The layer cannot be built. The message says what uv said."""


class PythonLayer(lambda_.LayerVersion):
    """A layer with the libraries of `lambda_src/requirements.txt` and the certificate authorities of RDS.

    A function finds the libraries on its path and the certificates at `/opt/certs/rds-global-bundle.pem`. One layer for
    all of them keeps each function's package at a few kilobytes: a change of a line is uploaded in no time, and the
    console shows the code.

    uv puts the libraries together for the runtime and the architecture of the functions, whatever machine this is, and
    takes them from its cache when they are there. The lock has the hash of every file, so the layer's own hash is made
    of the lock, the certificates, the runtime and the architecture, and is the same on every machine. A new lock is a
    new version; the old one goes.

    :param libraries: the lock. By default the one of `lambda_src/`.
    :param certificates: the certificate authorities to put beside them; None for none. By default those of RDS.
    :param description: what the console says of the layer.
    :raises LayerError: when the libraries cannot be installed.

    https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        libraries: Path = LAMBDA_LIBRARIES,
        certificates: Path | None = CERTIFICATES,
        description: str = "Libraries of Brew Haven's functions, and the certificate authorities of RDS",
    ) -> None:
        super().__init__(
            scope,
            id_,
            code=lambda_.Code.from_asset(
                str(libraries.parent),
                asset_hash=_hash(libraries, certificates),
                asset_hash_type=cdk.AssetHashType.CUSTOM,
                bundling=cdk.BundlingOptions(
                    image=RUNTIME.bundling_image,  # required by the type; never pulled, see below
                    local=_Install(libraries, certificates),  # type: ignore[arg-type]  # @jsii.implements is invisible to mypy
                ),
            ),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
            description=description,
        )


def _hash(libraries: Path, certificates: Path | None) -> str:
    digest = hashlib.sha256()
    for content in (
        libraries.read_bytes(),
        certificates.read_bytes() if certificates else b"",
        RUNTIME.name.encode(),
        ARCHITECTURE.name.encode(),
        Path(__file__).read_bytes(),
    ):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


@jsii.implements(cdk.ILocalBundling)
class _Install:
    """Installs the lock into a folder on this machine, so that no container is needed."""

    def __init__(self, libraries: Path, certificates: Path | None) -> None:
        self._libraries = libraries
        self._certificates = certificates

    def try_bundle(self, output_dir: str, _options: Any) -> bool:
        if self._certificates:
            certs = Path(output_dir) / "certs"
            certs.mkdir()
            (certs / self._certificates.name).write_bytes(self._certificates.read_bytes())
        command = [
            str(_uv()), "pip", "install", "--quiet", "--no-config", "--target", str(Path(output_dir) / "python"),
            "--requirements", str(self._libraries), "--require-hashes", "--no-deps", "--only-binary", ":all:",
            "--python-version", RUNTIME.name.removeprefix("python"),
            "--python-platform", _PLATFORMS[ARCHITECTURE.name],
        ]  # fmt: skip
        # With everything in the cache no network is needed, and none is asked.
        said = _run([*command, "--offline"]) and _run(command)
        if said:
            raise LayerError(
                f"the libraries of {self._libraries} cannot be installed, and uv says:\n{said}\n"
                "Check the connection (behind a proxy set HTTPS_PROXY), then try again."
            )
        (Path(output_dir) / "python" / ".lock").unlink(missing_ok=True)  # uv's own, while it writes
        return True


def _uv() -> Path:
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    if not uv.exists():
        raise LayerError(f"uv is not installed beside {sys.executable}: run `make setup` and use its .venv")
    return uv


def _run(command: list[str]) -> str:
    """What a command says when it fails; nothing when it does not."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() or f"exit code {done.returncode}" if done.returncode else ""
