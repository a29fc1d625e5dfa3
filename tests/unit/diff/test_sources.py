"""Reading a side: what a word means, synthesizing with a cache, revisions, assemblies, templates, deployed stacks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Deployment, Frame
from brewhaven.diff.sources import Spec, deployed, load, parse
from brewhaven.diff.sources.assembly import read_assembly, read_template
from brewhaven.diff.sources.place import Place
from tests.unit.diff.sides import resource

PLACE = Place("111122223333", "us-east-1")

# An app as small as can be: it writes its assembly by hand, so that a test does not wait for the CDK.
APP = """
import json, os, pathlib
context = json.loads(os.environ["CDK_CONTEXT_JSON"])
out = pathlib.Path(os.environ["CDK_OUTDIR"])
out.mkdir(parents=True)
place = f"aws://{os.environ['CDK_DEFAULT_ACCOUNT']}/{os.environ['CDK_DEFAULT_REGION']}"
stack = {"type": "aws:cloudformation:stack", "environment": place, "properties": {"templateFile": "One.json"}}
(out / "manifest.json").write_text(json.dumps({"artifacts": {"One": stack}}))
queue = {"Type": "AWS::SQS::Queue", "Properties": {"Lesson": context.get("lesson"), "Phase": context.get("phase"),
         "Path": context["aws:cdk:enable-path-metadata"], "Size": SIZE, "Flag": context["flag"]}}
(out / "One.json").write_text(json.dumps({"Resources": {"Queue": queue}}))
(out / "asset.big").mkdir()
with open("runs", "a") as runs: runs.write("x")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with the small app in it, committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "cdk.json").write_text('{"app": "python3 app.py", "context": {"flag": "kept"}}')
    (folder / ".gitignore").write_text("runs\n")
    write(folder, 1)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.email", "a@example.com")
    git(folder, "config", "user.name", "A")
    commit(folder, "one")
    return folder


def write(folder: Path, size: int) -> None:
    (folder / "app.py").write_text(APP.replace("SIZE", str(size)))


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def read(written: str, root: Path) -> Deployment:
    return load(parse(written, root), root, root.parent / "cache", PLACE)


def queue(found: Deployment) -> dict[str, Any]:
    (only,) = found
    return only.properties


def runs(root: Path) -> int:
    path = root / "runs"
    return len(path.read_text()) if path.exists() else 0


# What a word means


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.2", Spec("course", "1.2")),
        ("3", Spec("course", "3")),
        ("0", Spec("empty", "0")),
        ("1.0", Spec("empty", "0")),
        ("2.0", Spec("course", "1")),
        ("git:main", Spec("revision", "main")),
        ("git:main@1.3", Spec("revision", "main", "1.3")),
        ("git:user@host", Spec("revision", "user@host")),
        ("git:HEAD@{1}", Spec("revision", "HEAD@{1}")),
        ("HEAD", Spec("revision", "HEAD")),
        ("main@1.2", Spec("revision", "main", "1.2")),
        ("deployed:", Spec("deployed", "")),
        ("deployed:Mine", Spec("deployed", "Mine")),
        ("BrewHaven-Phase1-Foundation", Spec("deployed", "BrewHaven-Phase1-Foundation")),
    ],
)
def test_a_word_is_understood(root: Path, written: str, expected: Spec) -> None:
    assert parse(written, root) == expected


@pytest.mark.parametrize("written", ["no such thing", "../nothing.json", "git:", "git:@1.2"])
def test_a_word_that_means_nothing_is_refused_with_what_is_possible(root: Path, written: str) -> None:
    with pytest.raises(DiffError) as error:
        parse(written, root)
    assert error.value.exit_code == 2
    assert "lesson (1.2)" in str(error.value.remedy)


def test_a_folder_without_a_manifest_is_said_to_be_none(root: Path) -> None:
    with pytest.raises(DiffError, match=r"holds no manifest\.json"):
        parse(f"{root}/", root)


# Synthesizing


def test_a_lesson_is_built_as_the_cdk_would(root: Path) -> None:
    found = read("1.3", root)
    assert queue(found) == {"Lesson": "1.3", "Phase": None, "Path": True, "Size": 1, "Flag": "kept"}
    assert (found.label, found.lesson, found.stacks["One"].region) == ("lesson 1.3", "1.3", "us-east-1")


def test_a_phase_is_built_through_its_last_lesson(root: Path) -> None:
    assert queue(read("2", root))["Phase"] == "2"


def test_the_same_source_is_built_once(root: Path) -> None:
    read("1.3", root)
    read("1.3", root)
    assert runs(root) == 1
    read("1.4", root)
    assert runs(root) == 2


@pytest.mark.parametrize(("name", "again"), [("stacks/new.py", True), ("tests/new.py", False), ("docs/x.md", False)])
def test_only_what_the_app_can_read_makes_it_build_again(root: Path, name: str, again: bool) -> None:
    read("1.3", root)
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("# new")
    read("1.3", root)
    assert runs(root) == (2 if again else 1)


def test_changed_content_makes_it_build_again(root: Path) -> None:
    read("1.3", root)
    write(root, 2)
    assert queue(read("1.3", root))["Size"] == 2


def test_another_account_is_another_build(root: Path) -> None:
    read("1.3", root)
    load(parse("1.3", root), root, root.parent / "cache", Place("999999999999", "eu-central-1"))
    assert runs(root) == 2


def test_copies_of_assets_are_not_kept(root: Path) -> None:
    read("1.3", root)
    assert list((root.parent / "cache").rglob("asset.*")) == []


def test_an_app_that_fails_is_quoted(root: Path) -> None:
    (root / "app.py").write_text("raise SystemExit('the menu file is missing: menu.json')")
    with pytest.raises(DiffError, match=r"does not synthesize lesson 1\.3.*\nthe menu file is missing: menu\.json"):
        read("1.3", root)
    assert list((root.parent / "cache").iterdir()) == [], "nothing half-made stays"


def test_credentials_do_not_reach_the_app(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (root / "app.py").write_text(
        "import os, sys; sys.exit('found' if 'AWS_SECRET_ACCESS_KEY' in os.environ else 'none')"
    )
    with pytest.raises(DiffError, match="none"):
        read("1.3", root)


# Git revisions


def test_a_revision_is_built_beside_the_working_tree(root: Path) -> None:
    write(root, 2)
    commit(root, "two")
    write(root, 3)
    assert queue(read("git:HEAD~1", root))["Size"] == 1
    assert queue(read("HEAD", root))["Size"] == 2
    assert queue(read("1.1", root))["Size"] == 3
    assert runs(root) == 1, "a revision is built in a folder of its own"


def test_a_lesson_of_a_revision(root: Path) -> None:
    found = read("main@1.4", root)
    assert queue(found)["Lesson"] == "1.4"
    assert found.label == "revision main at lesson 1.4"


def test_an_unknown_revision_is_named(root: Path) -> None:
    with pytest.raises(DiffError, match="no git revision 'nowhere'"):
        read("git:nowhere", root)


# Assemblies and templates


def assembly(folder: Path, template: dict[str, Any], metadata: dict[str, Any] | None = None, **files: Any) -> Path:
    folder.mkdir()
    properties = {"templateFile": "One.json"}
    stack = {"type": "aws:cloudformation:stack", "properties": properties, "metadata": metadata or {}}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"One": stack}}))
    (folder / "One.json").write_text(json.dumps(template))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_the_bootstrap_check_of_every_template_is_left_out(tmp_path: Path) -> None:
    parameters = {"BootstrapVersion": {}, "Mine": {}}
    folder = assembly(tmp_path / "a", {"Parameters": parameters, "Rules": {"CheckBootstrapVersion": {}}})
    template = read_assembly(folder, "a").stacks["One"].template
    assert template == {"Parameters": {"Mine": {}}}


def test_a_nested_stack_is_a_stack_of_its_own(tmp_path: Path) -> None:
    nested = {"Type": "AWS::CloudFormation::Stack", "Metadata": {"aws:asset:path": "inner.json"}}
    inner = {"Resources": {"Queue": resource("AWS::SQS::Queue", "Q")}}
    found = read_assembly(assembly(tmp_path / "a", {"Resources": {"Nested": nested}}, inner=inner), "a")
    assert set(found.stacks) == {"One", "One/Nested"}
    assert set(found.stacks["One/Nested"].resources) == {"Queue"}


def test_a_trace_names_the_line_and_a_resource_without_one_takes_its_relatives(tmp_path: Path) -> None:
    trace = ["...node...", "__init__ (stacks/shop.py:3)", "<module> (/elsewhere/app.py:9)"]
    metadata = {
        "/One/Table/Resource": [
            {"type": "aws:cdk:logicalId", "data": "Table"},
            {"type": "aws:cdk:creationStack", "data": trace},
        ],
        "/One/Table/Policy": [{"type": "aws:cdk:logicalId", "data": "Policy"}],
    }
    template = {"Resources": {"Table": resource("T", "Table"), "Policy": resource("P", "Table/Policy")}}
    folder = assembly(tmp_path / "a", template, metadata, code={"stacks/shop.py": "a\nb\nc\n"})
    frames = {item.logical_id: item.frames for item in read_assembly(folder, "a")}
    assert frames["Table"] == frames["Policy"] == (Frame("stacks/shop.py", 3, "__init__"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not valid JSON"), ("[]", "no JSON object"), ("{}", "no Resources")],
)
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DiffError, match=message) as error:
        read_template(path)
    assert str(path) in str(error.value)


def test_a_template_is_a_stack_called_as_its_file(tmp_path: Path) -> None:
    path = tmp_path / "Shop.template.json"
    path.write_text(json.dumps({"Resources": {"Q": resource("AWS::SQS::Queue", "Tickets")}}))
    assert set(read_template(path).stacks) == {"Shop"}


# Deployed stacks


def test_a_deployed_stack_is_its_template() -> None:
    client = boto3.client("cloudformation", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    body = json.dumps({"Resources": {"Q": resource("AWS::SQS::Queue", "Tickets")}})
    with Stubber(client) as stub:
        stub.add_response("get_template", {"TemplateBody": body}, {"StackName": "Mine", "TemplateStage": "Original"})
        found = deployed.load("Mine", client)
    assert found.stacks["Mine"].resources["Q"].path == "Tickets"
    assert found.stacks["Mine"].region == "eu-west-1"


def test_a_stack_that_is_not_there_is_named() -> None:
    client = boto3.client("cloudformation", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error("get_template", "ValidationError", "Stack with id Mine does not exist")
        with pytest.raises(DiffError, match="Stack 'Mine' cannot be read: Stack with id Mine does not exist"):
            deployed.load("Mine", client)
