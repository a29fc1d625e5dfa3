"""``brewhaven-image-builder``: what the CDK CLI takes for Docker while it deploys to the local cloud.

The CDK CLI builds and publishes image assets with the program that the variable ``CDK_DOCKER`` names. Here that is this
program, so that the CLI really publishes: it logs in with the publishing role's ECR token, builds the image from the
asset's folder and pushes it to the account's ECR, where IAM decides. Only the commands that the CLI uses are there.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import sys
import urllib.parse
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.image_build import build
from brewhaven.local.engines.image_layout import Image, digest_of
from brewhaven.local.image_push import push
from brewhaven.local.settings import CloudSettings

_NOT_THERE = 1  # The exit code by which the CDK CLI knows that an image does not exist.


class BuilderError(BrewHavenError):
    """The command cannot be carried out."""


class Builds:
    """Images that were built but perhaps not pushed, by tag."""

    def __init__(self, folder: Path) -> None:
        self._tags, self._blobs, self._logins = folder / "tags", folder / "blobs", folder / "logins.json"

    def save(self, tag: str, image: Image) -> None:
        self._blobs.mkdir(parents=True, exist_ok=True)
        for digest, data in image.blobs.items():
            self._write(self._blobs / digest.replace(":", "-"), data)
        self._tag(tag, {"config": digest_of(image.config), "layer": digest_of(image.layer)})

    def _tag(self, tag: str, names: dict[str, str]) -> None:
        self._tags.mkdir(parents=True, exist_ok=True)
        self._write(self._tags / urllib.parse.quote(tag, safe=""), json.dumps(names).encode())

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        draft = path.with_name(f".{path.name[:80]}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(data)
        draft.replace(path)

    def find(self, tag: str) -> dict[str, str] | None:
        path = self._tags / urllib.parse.quote(tag, safe="")
        return json.loads(path.read_text()) if path.exists() else None

    def tags(self) -> list[str]:
        return sorted(urllib.parse.unquote(path.name) for path in self._tags.glob("[!.]*"))

    def load(self, tag: str) -> Image:
        names = self._known(tag)
        config, layer = ((self._blobs / names[part].replace(":", "-")).read_bytes() for part in ("config", "layer"))
        return Image(config=config, layer=layer)

    def retag(self, source: str, target: str) -> None:
        self._tag(target, self._known(source))

    def _known(self, tag: str) -> dict[str, str]:
        names = self.find(tag)
        if names is None:
            raise BuilderError(f"No image named {tag} was built here.")
        return names

    def login(self, registry: str, user: str, password: str) -> None:
        self._tags.parent.mkdir(parents=True, exist_ok=True)
        self._write(self._logins, json.dumps({**self._all_logins(), registry: [user, password]}).encode())

    def credentials(self, registry: str) -> tuple[str, str]:
        found = self._all_logins().get(registry)
        if found is None:
            raise BuilderError(f"Not logged in to {registry}.", "The CDK CLI does this itself before it pushes.")
        return found[0], found[1]

    def _all_logins(self) -> dict[str, list[str]]:
        return json.loads(self._logins.read_text()) if self._logins.exists() else {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="brewhaven-image-builder", description=__doc__.splitlines()[0])
    parser.add_argument("--config", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="build an image from a folder with a Dockerfile")
    builder.add_argument("--tag", required=True)
    builder.add_argument("--file")
    builder.add_argument("--build-arg", action="append", default=[])
    # How and for what machine Docker builds makes no difference here: the image runs on this machine's Python.
    for ignored in ("--platform", "--network", "--output", "--cache-from", "--cache-to"):
        builder.add_argument(ignored, action="append", help=argparse.SUPPRESS)
    builder.add_argument("--no-cache", action="store_true", help=argparse.SUPPRESS)
    builder.add_argument("context")
    tag = commands.add_parser("tag", help="give an image another name")
    tag.add_argument("source")
    tag.add_argument("target")
    commands.add_parser("push", help="push an image to the account's ECR").add_argument("tag")
    commands.add_parser("inspect", help="say whether an image was built").add_argument("tag")
    images = commands.add_parser("images", help="list images that were built")
    images.add_argument("--format")
    images.add_argument("--filter", default="reference=*")
    login = commands.add_parser("login", help="keep a registry's token")
    login.add_argument("--username", required=True)
    login.add_argument("--password-stdin", action="store_true", required=True)
    login.add_argument("registry")
    return parser


def run(arguments: list[str]) -> int:
    """Carry out one command and return the exit code."""
    options = _parser().parse_args(arguments)
    containers = CloudSettings.from_environment().folder / "containers"
    builds = Builds(containers / "builds")
    match options.command:
        case "build":
            image = build(
                Path(options.context).resolve(),
                file=options.file,
                arguments=dict(pair.partition("=")[::2] for pair in options.build_arg),
                environments_folder=containers / "environments",
                report=lambda line: print(line, file=sys.stderr),
            )
            builds.save(options.tag, image)
        case "tag":
            builds.retag(options.source, options.target)
        case "push":
            registry, _, rest = options.tag.partition("/")
            repository, _, tag = rest.rpartition(":")
            digest = push(builds.load(options.tag), registry, repository, tag, builds.credentials(registry))
            print(f"{tag}: digest: {digest}")
        case "inspect":
            found = builds.find(options.tag)
            if found is None:
                return _NOT_THERE
            print(json.dumps([{"Id": found["config"], "RepoTags": [options.tag]}]))
        case "images":
            pattern = options.filter.removeprefix("reference=")
            print("\n".join(tag for tag in builds.tags() if fnmatch.fnmatch(tag, pattern)))
        case "login":
            builds.login(options.registry, options.username, sys.stdin.read().strip())
    return 0


def main() -> None:
    """Entry point of the console script."""
    try:
        sys.exit(run(sys.argv[1:]))
    except BrewHavenError as error:
        sys.exit(f"brewhaven-image-builder: {error}")


if __name__ == "__main__":
    main()
