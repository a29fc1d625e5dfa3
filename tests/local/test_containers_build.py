"""Images without Docker: the Dockerfile's instructions, what is copied, who may push (dockerfile, image_build, ecr)."""

from __future__ import annotations

import gzip
import io
import json
import ssl
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from brewhaven.local.engines import dockerfile, environments
from brewhaven.local.engines.dockerfile import DockerfileError
from brewhaven.local.engines.image_build import build, ignore_rules
from brewhaven.local.engines.image_layout import REQUIREMENTS_LABEL, Image
from brewhaven.local.settings import REPOSITORY as CHECKOUT
from tests.plugins.containers import REGISTRY, REPOSITORY, TINY, log_in, push_image, run_builder
from tests.plugins.local_cloud import Cloud

SMALLEST = 'FROM python:3.12\nCMD ["python", "-V"]\n'


def built(folder: Path, files: dict[str, str], **arguments: str) -> Image:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    kept = folder.parent / "environments"
    return build(folder, file=None, arguments=arguments, environments_folder=kept, report=lambda _line: None)


def names(image: Image) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.layer))) as archive:
        return set(archive.getnames())


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("RUN apt-get install -y curl", "RUN apt-get install -y curl"),
        ("RUN pip install flask", "RUN pip install flask"),
        ("ADD https://example.org/x /x", "ADD is not supported"),
        ("COPY --from=build /x /x", "COPY --from=build"),
        ("FROM python:3.12 AS second", "a second FROM"),
        ("CMD python -m shop", "CMD must have the exec form"),
        ("SHELL [\"/bin/bash\"]", "SHELL is not supported"),
        ("VOLUME /data", "VOLUME is not supported"),
        ("COPY a b c", "ends with /"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(line: str, named: str) -> None:
    with pytest.raises(DockerfileError, match="Dockerfile line 3") as refusal:
        dockerfile.read(SMALLEST + line + "\n")
    assert named in refusal.value.message


def test_another_base_is_refused() -> None:
    with pytest.raises(DockerfileError, match="must be an official python image"):
        dockerfile.read('FROM node:22\nCMD ["node"]\n')


def test_without_a_command_nothing_would_run() -> None:
    with pytest.raises(DockerfileError, match="neither CMD nor ENTRYPOINT"):
        dockerfile.read("FROM python:3.12\n")


def test_variables_continued_lines_and_comments_are_read() -> None:
    recipe = dockerfile.read(
        "ARG VERSION=3.11\n# a comment\nFROM public.ecr.aws/docker/library/python:${VERSION}-slim\n"
        'ARG COLOUR=red\nENV ONE=1 \\\n    # inside\n    TWO="two $COLOUR"\nENV THREE 3 and more\n'
        'WORKDIR /srv\nWORKDIR shop\nUSER 10001\nEXPOSE 8080/tcp\nENTRYPOINT ["python"]\nCMD ["-m", "shop"]\n',
        {"VERSION": "3.13"},
    )
    assert recipe.python == "3.13"
    assert recipe.environment == {"ONE": "1", "TWO": "two red", "THREE": "3 and more"}
    assert recipe.workdir == "/srv/shop"
    assert (recipe.entrypoint, recipe.command) == (["python"], ["-m", "shop"])


def test_only_what_copy_names_is_in_the_image(tmp_path: Path) -> None:
    image = built(
        tmp_path / "context",
        {
            "Dockerfile": SMALLEST + "WORKDIR /app\nCOPY shop ./shop\nCOPY a.txt b.txt ./\n",
            "shop/main.py": "", "shop/deep/page.html": "", "shop/deep/page.pyc": "", "a.txt": "", "b.txt": "",
            "secret.key": "", ".dockerignore": "**/*.pyc\n",
        },
    )  # fmt: skip
    assert names(image) == {"app/shop/main.py", "app/shop/deep/page.html", "app/a.txt", "app/b.txt"}


def test_the_same_files_make_the_same_image(tmp_path: Path) -> None:
    files = {"Dockerfile": SMALLEST + "COPY . /app/\n", "a.txt": "a"}
    assert built(tmp_path / "one", files).manifest == built(tmp_path / "two", files).manifest


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DockerfileError, match=r"line 3: COPY menu\.json: no such file in the build context"):
        built(tmp_path / "context", {"Dockerfile": SMALLEST + "COPY menu.json /\n"})


def test_nothing_outside_the_context_is_copied(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    with pytest.raises(DockerfileError, match="no such file"):
        built(tmp_path / "context", {"Dockerfile": SMALLEST + "COPY ../outside.txt /\n"})


def test_requirements_become_part_of_the_image(tmp_path: Path) -> None:
    files = {
        "Dockerfile": SMALLEST + "COPY requirements.txt /\nRUN pip install --no-cache-dir -r requirements.txt\n",
        "requirements.txt": "# nothing yet\n",
    }
    labels = json.loads(built(tmp_path / "context", files).config)["config"]["Labels"]
    assert labels[REQUIREMENTS_LABEL] == "# nothing yet\n"


def test_one_hash_asks_for_all_as_pip_does(tmp_path: Path) -> None:
    half = f"idna==3.20 --hash=sha256:{'0' * 64}\nsix==1.17.0\n"
    with pytest.raises(environments.RequirementsError, match=r"(?s)--require-hashes.*six"):
        environments.ensure(tmp_path, half)


def test_the_shops_lock_is_whole_and_installs_without_the_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hashes a package that the lock forgets is refused, so that this also shows that none is forgotten."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    environment = environments.ensure(tmp_path, (CHECKOUT / "storefront" / "requirements.txt").read_text())
    assert list(environment.glob("lib/python*/site-packages/uvicorn"))
    native = environments.native_packages(tmp_path)[environment.name]
    assert any(package.startswith("pydantic_core ") for package in native)
    assert not any(package.startswith("fastapi ") for package in native), "fastapi holds no machine code"


@pytest.mark.parametrize(
    ("rules", "path", "left_out"),
    [
        ("*.md", "README.md", True), ("*.md", "docs/README.md", False), ("**/*.md", "docs/README.md", True),
        ("node_modules", "node_modules/x/y.js", True), ("*\n!keep.txt", "keep.txt", False),
        ("*\n!shop", "shop/main.py", False), ("# comment\n\n/build/", "build/x", True), ("?.txt", "ab.txt", False),
    ],
)  # fmt: skip
def test_dockerignore_rules(rules: str, path: str, left_out: bool) -> None:
    assert ignore_rules(rules)(path) is left_out


@pytest.mark.local
def test_a_push_needs_permission_and_is_listed(cloud: Cloud, images: object, tmp_path: Path) -> None:
    ecr, iam = cloud.client("ecr"), cloud.client("iam")
    iam.create_user(UserName="reader")
    iam.put_user_policy(
        UserName="reader",
        PolicyName="it",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}],
            }
        ),
    )
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    name = f"{REGISTRY}/{REPOSITORY}:pushed"
    push_image(cloud, tmp_path, "other", TINY)
    assert run_builder(cloud, "tag", f"{REGISTRY}/{REPOSITORY}:other", name).returncode == 0
    log_in(cloud, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    refused = run_builder(cloud, "push", name)
    assert refused.returncode == 1
    assert "user/reader is not authorized to perform: ecr:InitiateLayerUpload" in refused.stderr
    log_in(cloud)
    assert run_builder(cloud, "push", name).returncode == 0
    tags = {
        tag for image in ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"] for tag in image["imageTags"]
    }
    assert {"other", "pushed"} <= tags


@pytest.mark.local
def test_the_registry_refuses_a_stranger(cloud: Cloud, images: object) -> None:
    done = run_builder(cloud, "login", "--username", "AWS", "--password-stdin", "elsewhere", stdin="guess")
    assert done.returncode == 0
    context = ssl.create_default_context(cafile=cloud.environment["AWS_CA_BUNDLE"])
    address = f"{cloud.environment['AWS_ENDPOINT_URL']}/v2/{REPOSITORY}/tags/list"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(address, context=context)


@pytest.mark.local
def test_the_builder_says_whether_it_has_an_image(cloud: Cloud) -> None:
    assert run_builder(cloud, "inspect", "never-built").returncode == 1
    unknown = run_builder(cloud, "run", "something")
    assert unknown.returncode == 2
    assert "invalid choice: 'run'" in unknown.stderr
