"""What the tests look at is what `cdk deploy` deploys: the CLI and the tests synthesize the same templates."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CDK = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
WHERE = ["-c", "account=111122223333", "-c", "region=us-east-1"]


def cdk(*arguments: str) -> subprocess.CompletedProcess[str]:
    node = os.environ.get("JSII_NODE") or shutil.which("node") or "node"
    search = os.pathsep.join([str(Path(sys.executable).parent), str(Path(node).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": search, "CDK_VALIDATION": "false", "CDK_DISABLE_CLI_TELEMETRY": "true"}
    for name in ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION", "AWS_PROFILE"):
        environment.pop(name, None)
    return subprocess.run(
        [node, str(CDK), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def without_metadata(path: Path) -> Any:
    """A template without the construct paths that the CLI notes down, and CloudFormation ignores."""
    template = json.loads(path.read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        resource.pop("Metadata", None)
    return template


@pytest.fixture(autouse=True)
def _installed() -> None:
    assert CDK.exists(), "the CDK CLI is not installed: run `make setup`"


def test_the_cli_and_the_tests_make_the_same_templates(assembly: Callable[..., Path], tmp_path: Path) -> None:
    done = cdk("synth", "--quiet", "--output", str(tmp_path), *WHERE)
    assert done.returncode == 0, done.stderr
    ours = sorted(assembly().glob("*.template.json"))
    assert [path.name for path in ours] == sorted(path.name for path in tmp_path.glob("*.template.json"))
    for path in ours:
        assert without_metadata(path) == without_metadata(tmp_path / path.name)


def test_a_wrong_switch_ends_with_sentences_and_not_with_a_traceback(tmp_path: Path) -> None:
    done = cdk("ls", "--output", str(tmp_path), *WHERE, "-c", "lesson=9.9", "-c", "student=S 1")
    assert done.returncode != 0
    assert "there is no lesson '9.9'; the lessons are 1.1, 1.2" in done.stderr
    assert "student must be 1 to 12 lower-case letters" in done.stderr
    assert "Traceback" not in done.stderr
