"""How every Lambda function of the course is packaged and set up."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import aws_cdk as cdk
import jsii
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.sources import LAMBDA_SRC, NOT_CODE

_ONE_BEHIND = (
    "The newest runtime is not the goal, a supported one is: Python 3.13 gets security fixes until 2029, and all "
    "functions of the course move on together, after their tests have passed on the next version."
)
OLDER_RUNTIME = {"AwsSolutions-L1": _ONE_BEHIND, "Serverless-LambdaLatestVersion": _ONE_BEHIND}


class FunctionSettings(TypedDict):
    """The settings that all functions share, to be unpacked into `lambda_.Function(...)`."""

    code: lambda_.Code
    handler: str
    runtime: lambda_.Runtime
    architecture: lambda_.Architecture
    memory_size: int
    timeout: cdk.Duration
    logging_format: lambda_.LoggingFormat
    log_group: logs.LogGroup
    role: iam.Role


def python_function(
    scope: Construct, name: str, *, shares: Sequence[str] = (), extra_files: Mapping[str, Path] | None = None
) -> FunctionSettings:
    """Define how the package `lambda_src/<name>` becomes a function, its role and its log group.

    The handler is `<name>.handler.lambda_handler`. Arm processors cost less for the same work. Logs are JSON and kept
    for a week, in a group that goes when the stack goes (a function that makes its own group leaves it behind). The
    role may write to that group and nothing else; what the function needs is granted to it.

    :param shares: further packages of `lambda_src` that the function imports, which are put into its asset. By default
        there are none. (Libraries of others come with `PythonLayer`.)
    :param extra_files: files of other folders that the package finds beside its modules. By default there are none.
    :raises ValueError: when the package has no handler, or something it is to be packaged with is missing.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
    """
    log_group = logs.LogGroup(
        scope, "Logs", retention=logs.RetentionDays.ONE_WEEK, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    acknowledge(scope, OLDER_RUNTIME)
    return FunctionSettings(
        code=_code(name, shares, extra_files or {}),
        handler=f"{name}.handler.lambda_handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        architecture=lambda_.Architecture.ARM_64,
        memory_size=256,
        timeout=cdk.Duration.seconds(30),
        logging_format=lambda_.LoggingFormat.JSON,
        log_group=log_group,
        role=role,
    )


def _code(name: str, shares: Sequence[str], extra_files: Mapping[str, Path]) -> lambda_.Code:
    """One function's packages alone, so that editing one function leaves the others' asset hashes as they were."""
    needed = (LAMBDA_SRC / name / "handler.py", *(LAMBDA_SRC / shared / "__init__.py" for shared in shares))
    missing = [str(path) for path in (*needed, *extra_files.values()) if not path.is_file()]
    if missing:
        raise ValueError(f"the function {name} cannot be packaged without {', '.join(missing)}")
    packages = (name, *shares)
    if not extra_files:
        kept = [pattern for package in packages for pattern in (f"!{package}", f"!{package}/**")]
        return lambda_.Code.from_asset(str(LAMBDA_SRC), exclude=["*", *kept, *NOT_CODE], ignore_mode=cdk.IgnoreMode.GIT)
    return lambda_.Code.from_asset(
        str(LAMBDA_SRC),
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            image=lambda_.Runtime.PYTHON_3_13.bundling_image,  # required by the type; never pulled, see below
            local=_Copy(packages, extra_files),  # type: ignore[arg-type]  # @jsii.implements is invisible to mypy
        ),
    )


@jsii.implements(cdk.ILocalBundling)
class _Copy:
    """Puts the package and the extra files together on this machine, so that no container is needed."""

    def __init__(self, packages: Sequence[str], extra_files: Mapping[str, Path]) -> None:
        self._packages = packages
        self._extra_files = extra_files

    def try_bundle(self, output_dir: str, _options: Any) -> bool:
        for package in self._packages:
            shutil.copytree(
                LAMBDA_SRC / package,
                Path(output_dir) / package,
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
            )
        for file_name, source in self._extra_files.items():
            shutil.copyfile(source, Path(output_dir) / self._packages[0] / file_name)
        return True
