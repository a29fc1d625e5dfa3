"""An image that does not start, made of the one that is deployed: no image builder is needed for it.

An image is a manifest that names a configuration and layers. The configuration says with which command a container
starts. Another command is another configuration, hence another image, with the same layers.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.faults import Answer, Call, call

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
# A module that the image does not have: somebody renamed it on a laptop and did not commit that.
COMMAND = ["python", "-m", "shop.server"]


@dataclass(frozen=True)
class Hotfix:
    """The image that does not start.

    Attributes:
        name: As a task definition names it.
        tag: 64 hexadecimal digits, as the CDK names images.
        push: The calls that put it into the repository.
        remove: The call that takes it out again.
    """

    name: str
    repository: str
    tag: str
    push: tuple[Call, ...]
    remove: Call


def of_image(cloud: Deployment, name: str) -> Hotfix:
    """Look at a deployed image and work out the one that does not start; nothing is changed.

    Args:
        name: ``<registry>/<repository>:<tag>``.

    Raises:
        LookupError: It is in no repository of this account, or of a form that is not known here.
    """
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.rpartition(":")
    where = {"repositoryName": repository}
    manifest = _manifest(cloud, repository, {"imageTag": tag})
    address = cloud.client("ecr").get_download_url_for_layer(**where, layerDigest=manifest["config"]["digest"])
    configuration = json.loads(ask(address["downloadUrl"]).body)
    configuration["config"] = {**configuration["config"], "Cmd": COMMAND}
    blob = json.dumps(configuration).encode()
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    text = json.dumps({**manifest, "config": {**manifest["config"], "digest": digest, "size": len(blob)}})
    new_tag = hashlib.sha256(text.encode()).hexdigest()
    upload = {**where, "uploadId": Answer(0, "uploadId")}
    # Where the same was pushed before, its parts are there already.
    there = ("LayerAlreadyExistsException", "ImageAlreadyExistsException", "ImageTagAlreadyExistsException")
    return Hotfix(
        name=f"{registry}/{repository}:{new_tag}",
        repository=repository,
        tag=new_tag,
        push=(
            call("ecr", "initiate_layer_upload", **where),
            call(
                "ecr",
                "upload_layer_part",
                **upload,
                partFirstByte=0,
                partLastByte=len(blob) - 1,
                layerPartBlob=blob,
            ),
            call("ecr", "complete_layer_upload", **upload, layerDigests=[digest], unless=there),
            call(
                "ecr",
                "put_image",
                **where,
                imageManifest=text,
                imageManifestMediaType=manifest["mediaType"],
                imageTag=new_tag,
                unless=there,
            ),
        ),
        remove=call(
            "ecr",
            "batch_delete_image",
            **where,
            imageIds=[{"imageTag": new_tag}],
            unless=["RepositoryNotFoundException"],
        ),
    )


def _manifest(cloud: Deployment, repository: str, image: dict[str, str]) -> dict[str, Any]:
    """The manifest of an image; of an image for several machines the one for the machine of the tasks."""
    answer = cloud.client("ecr").batch_get_image(
        repositoryName=repository, imageIds=[image], acceptedMediaTypes=[*MANIFESTS, *INDEXES]
    )
    if not answer["images"]:
        raise LookupError(f"{repository} has no image {image}")
    found: dict[str, Any] = json.loads(answer["images"][0]["imageManifest"])
    for part in found.get("manifests", []):
        if part.get("platform", {}).get("architecture") == "arm64":
            return _manifest(cloud, repository, {"imageDigest": part["digest"]})
    if "layers" not in found:
        raise LookupError(f"the image {image} of {repository} is none for the machine of the tasks")
    return {"mediaType": answer["images"][0].get("imageManifestMediaType", MANIFESTS[0]), **found}
