"""An image's parts go up and down through the API of ECR (resources/ecr_layers.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.plugins.containers import Service, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

REPOSITORY = "layers"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def ecr(cloud: Cloud) -> Iterator[Any]:
    client = cloud.client("ecr")
    client.create_repository(repositoryName=REPOSITORY)
    yield client
    client.delete_repository(repositoryName=REPOSITORY, force=True)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def upload(ecr: Any, *parts: bytes, repository: str = REPOSITORY, digest: str = "") -> str:
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    where = {"repositoryName": repository, "uploadId": upload_id}
    first = 0
    for part in parts:
        last = first + len(part) - 1
        answer = ecr.upload_layer_part(**where, partFirstByte=first, partLastByte=last, layerPartBlob=part)
        assert answer["lastByteReceived"] == last
        first = last + 1
    wanted = digest or digest_of(b"".join(parts))
    return str(ecr.complete_layer_upload(**where, layerDigests=[wanted])["layerDigest"])


def test_a_layer_in_parts_comes_back_whole(ecr: Any) -> None:
    digest = upload(ecr, b"one ", b"cup")
    found = ecr.batch_check_layer_availability(repositoryName=REPOSITORY, layerDigests=[digest, digest_of(b"x")])
    assert [(one["layerAvailability"], one.get("layerSize")) for one in found["layers"]] == [
        ("AVAILABLE", 7),
        ("UNAVAILABLE", None),
    ]
    url = ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest=digest)["downloadUrl"]
    assert requests.get(url, timeout=10).content == b"one cup"
    assert requests.get(url.replace("download=", "download=x"), timeout=10).status_code == 401
    other = upload(ecr, b"another")
    assert requests.get(url.replace(digest, other), timeout=10).status_code == 401


@pytest.mark.parametrize(
    ("parts", "digest", "code"),
    [
        ((b"cup",), digest_of(b"saucer"), "InvalidLayerException"),
        ((), "", "EmptyUploadException"),
    ],
)
def test_what_is_not_what_was_announced_is_refused(ecr: Any, parts: Any, digest: str, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        upload(ecr, *parts, digest=digest)
    assert refused.value.response["Error"]["Code"] == code


def test_a_layer_is_there_once_and_parts_come_in_order(ecr: Any) -> None:
    upload(ecr, b"cup")
    with pytest.raises(ecr.exceptions.LayerAlreadyExistsException):
        upload(ecr, b"cup")
    where = {
        "repositoryName": REPOSITORY,
        "uploadId": ecr.initiate_layer_upload(repositoryName=REPOSITORY)["uploadId"],
    }
    with pytest.raises(ecr.exceptions.InvalidLayerPartException):
        ecr.upload_layer_part(**where, partFirstByte=5, partLastByte=6, layerPartBlob=b"up")
    with pytest.raises(ecr.exceptions.UploadNotFoundException):
        ecr.complete_layer_upload(**{**where, "uploadId": "none"}, layerDigests=[digest_of(b"")])
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.initiate_layer_upload(repositoryName="no-such")
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest=digest_of(b"none"))


def test_an_image_needs_its_layers(ecr: Any) -> None:
    layer, config = upload(ecr, b"layer"), digest_of(b"{}")
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": config, "size": 2},
            "layers": [{"digest": layer, "size": 5}],
        }
    )
    image = {"repositoryName": REPOSITORY, "imageManifest": manifest, "imageTag": "latest"}
    with pytest.raises(ecr.exceptions.LayersNotFoundException, match=config):
        ecr.put_image(**image)
    with pytest.raises(ecr.exceptions.InvalidParameterException):
        ecr.put_image(**{**image, "imageManifest": "{}"})
    upload(ecr, b"{}")
    assert ecr.put_image(**image)["image"]["imageId"]["imageDigest"] == digest_of(manifest.encode())


def test_an_image_made_of_another_runs(cloud: Cloud, images: Callable[..., str]) -> None:
    """The same layers with another command are another image, which the service runs."""
    ecr, name = cloud.client("ecr"), images()
    repository, _, tag = name.partition("/")[2].partition(":")
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"][0]
    manifest = json.loads(found["imageManifest"])
    config_digest = manifest["config"]["digest"]
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=config_digest)["downloadUrl"]
    config = requests.get(url, timeout=10).json()
    config["config"]["Cmd"] = ["python", "-m", "no_such_module"]
    blob = json.dumps(config).encode()
    manifest["config"] = {**manifest["config"], "size": len(blob), "digest": upload(ecr, blob, repository=repository)}
    ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag="broken")
    service = Service(cloud, "made-of-another", name.replace(f":{tag}", ":broken"))
    try:
        assert service.deploy() == "ROLLBACK_COMPLETE"
        assert until(lambda: "No module named no_such_module" in service.last_words)
    finally:
        service.delete()
