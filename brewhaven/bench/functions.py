"""The functions by themselves: how long Python takes to import each, and how large its package is.

What is measured is what was deployed: the package, its layers and the names of its variables, in a Python that sees
nothing else but boto3, as in Lambda. Of several rounds the fastest counts: what else the machine does meanwhile is not
the function's. On a machine that is busy in every round it still counts, so the processor's own time stands beside it,
which is what the import would take with a processor to itself.

The first round finds the package and its layers as they were unpacked, without bytecode, and Python compiles them and
leaves the bytecode (``-I`` hears no PYTHONDONTWRITEBYTECODE); later rounds read it. Lambda mounts a package read-only
and so compiles in every cold start, unless it was built with its bytecode, which ours is not. So that first round is
told, too. The boto3 of the runtime has its bytecode here as there, and so have the packages that are linked from this
tool's environment because the layer's are built for another machine.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from brewhaven import console
from brewhaven.bench.sections import Row
from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.native_layers import native_packages
from brewhaven.target import Target

MOST_MS, MOST_MB = 400.0, 5.0
HANDLER = ".handler.lambda_handler"
# What Lambda's Python brings along.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
_IMPORT = (
    "import sys, time; sys.path[:0] = sys.argv[2:]; began = time.perf_counter(), time.process_time(); "
    "__import__(sys.argv[1]); print(time.perf_counter() - began[0], time.process_time() - began[1])"
)


class Took(NamedTuple):
    """Seconds of one import: by the clock, and of the processor."""

    clock: float
    processor: float


def starts(cloud: Target, stack_ids: Sequence[str], rounds: int) -> Iterator[Row]:
    """Every function of our own in these stacks: its import, and its package without the layers."""
    for stack in stack_ids:
        resources = cloud.client("cloudformation").get_template(StackName=stack)["TemplateBody"]["Resources"]
        for properties in (one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::Function"):
            if not properties["Handler"].endswith(HANDLER):
                continue  # the CDK's own
            package = properties["Handler"].removesuffix(HANDLER)
            with console.step(f"Importing {package}") as step, tempfile.TemporaryDirectory() as place:
                size, folders = _unpacked(cloud, properties, resources, Path(place))
                variables = properties.get("Environment", {}).get("Variables", {})
                first, *later = (importing(f"{package}.handler", folders, variables) for _ in range(max(rounds, 3)))
                fastest = min(took.clock for took in later)
                step.result(f"{fastest * 1000:.0f} ms")
            yield Row(f"{package}: import", _ms(fastest), "ms", MOST_MS)
            yield Row(f"{package}: import, the processor's time", _ms(min(took.processor for took in later)), "ms")
            yield Row(f"{package}: import without bytecode, the processor's time", _ms(first.processor), "ms")
            yield Row(f"{package}: package without layers", round(size / 1e6, 3), "MB", MOST_MB)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def importing(module: str, folders: Sequence[Path], variables: Mapping[str, Any]) -> Took:
    """How long a fresh Python takes to import a module that sees these folders alone.

    Raises:
        BrewHavenError: It cannot be imported.
    """
    told = {name: value if isinstance(value, str) else "deployed" for name, value in variables.items()}
    numbers = {"PGPORT": "5432"}  # the one that is read while importing and is no text
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _IMPORT, module, *map(str, folders)],
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", **told, **numbers},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BrewHavenError(f"{module} cannot be imported: {done.stderr.strip()[-400:]}")
    return Took(*map(float, done.stdout.split()))


def _unpacked(
    cloud: Target, properties: dict[str, Any], resources: dict[str, Any], place: Path
) -> tuple[int, list[Path]]:
    """The size of a function's package in bytes, and the folders that it sees, as Lambda orders them."""
    size = _fetch(cloud, properties["Code"]["S3Key"], place / "code")
    layers = []
    for number, layer in enumerate(properties.get("Layers", ())):
        layers.append(place / f"layer-{number}")
        _fetch(cloud, resources[layer["Ref"]]["Properties"]["Content"]["S3Key"], layers[-1])
    own = place / "own"
    own.mkdir()
    for name in native_packages(layers):
        _link(own, name.partition("==")[0])  # built for this machine, and not for Lambda's
    runtime = place / "runtime"
    runtime.mkdir()
    installed = Path(str(importlib.metadata.distribution("boto3").locate_file("")))
    for name in RUNTIME:
        (runtime / name).symlink_to(installed / name)
    return size, [place / "code", own, *(layer / "python" for layer in layers), runtime]


def _fetch(cloud: Target, key: str, folder: Path) -> int:
    bucket = f"cdk-hnb659fds-assets-{cloud.account}-{cloud.region}"
    content = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
    return len(content)


def _link(folder: Path, name: str) -> None:
    """Make the top-level entries of an installed distribution visible in a folder."""
    distribution = importlib.metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files or () if not file.parts[0].startswith("..")}
    for top in tops:
        (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
