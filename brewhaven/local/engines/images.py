"""Images as the container engine needs them: taken from the account's ECR, unpacked once into a folder."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines import environments
from brewhaven.local.engines.image_layout import PYTHON_LABEL, REQUIREMENTS_LABEL

_ECR_NAME = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)


class ImageNotFoundError(BrewHavenError):
    """The registry has no such image, or it is not one that the local cloud can run."""


@dataclass(frozen=True)
class Reference:
    """The name of an image in ECR."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def repository_arn(self) -> str:
        return f"arn:aws:ecr:{self.region}:{self.account}:repository/{self.repository}"


def reference(name: str) -> Reference:
    """Parse an image name.

    Raises:
        ImageNotFoundError: The image is not in ECR.
    """
    match = _ECR_NAME.match(name)
    if match is None:
        raise ImageNotFoundError(
            f"{name} is not in this account's ECR: the local cloud runs image assets, which `cdk deploy` pushes there."
        )
    parts = match.groupdict()
    return Reference(
        parts["account"], parts["region"], parts["repository"], parts["tag"] or "latest", parts["digest"] or ""
    )


@dataclass(frozen=True)
class UnpackedImage:
    """An image on disk.

    Attributes:
        digest: Of its manifest.
        rootfs: Its files; copied for each container, never changed.
        environment: The Python environment with its requirements.
        config: ``config`` of the image configuration: Env, WorkingDir, Cmd, Entrypoint, User, Labels.
    """

    digest: str
    rootfs: Path
    environment: Path
    config: dict[str, Any]

    @property
    def python_differs(self) -> str | None:
        """A sentence if the image names another Python than the one it runs on."""
        named = self.config.get("Labels", {}).get(PYTHON_LABEL)
        here = environments.python_version()
        if named and named != here:
            return f"the image names Python {named} and runs on this machine's Python {here}"
        return None


class Images:
    """Unpacked images of a local cloud."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest_digest(self, name: str) -> str:
        """The digest that a tag has now.

        Raises:
            ImageNotFoundError: The repository or the tag is not there.
        """
        from ministack.services import ecr

        wanted = reference(name)
        for image in ecr._images.get_scoped(wanted.account, wanted.region, wanted.repository) or []:
            if (wanted.digest and image["imageDigest"] == wanted.digest) or (
                not wanted.digest and wanted.tag in image.get("imageTags", [])
            ):
                return str(image["imageDigest"])
        raise ImageNotFoundError(f"{name}: not found")

    def pull(self, name: str) -> UnpackedImage:
        """Unpack an image unless it is unpacked already.

        Raises:
            ImageNotFoundError: It is not there, or was not made by the local cloud's image builder.
            RequirementsError: Its environment was removed and cannot be made again.
        """
        from ministack.services import ecr

        wanted = reference(name)
        digest = self.manifest_digest(name)
        scope = (wanted.account, wanted.region, wanted.repository)
        blobs = ecr._layer_blobs.get_scoped(*scope) or {}
        manifest = json.loads((ecr._manifest_blobs.get_scoped(*scope) or {}).get(digest) or "{}")
        config = json.loads(blobs.get(manifest.get("config", {}).get("digest")) or "{}").get("config", {})
        labels = config.get("Labels") or {}
        if REQUIREMENTS_LABEL not in labels:
            raise ImageNotFoundError(f"{name} was not built by brewhaven-image-builder; the local cloud cannot run it.")
        rootfs = self._folder / "images" / digest.replace(":", "-")
        if not rootfs.exists():
            self._unpack(blobs[manifest["layers"][0]["digest"]], rootfs)
        environment = environments.ensure(self._folder / "environments", labels[REQUIREMENTS_LABEL])
        return UnpackedImage(digest, rootfs, environment, config)

    @staticmethod
    def _unpack(layer: bytes, rootfs: Path) -> None:
        rootfs.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".", dir=rootfs.parent))
        try:
            with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
                archive.extractall(draft, filter="data")
            draft.rename(rootfs)
        except OSError:
            if not rootfs.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
