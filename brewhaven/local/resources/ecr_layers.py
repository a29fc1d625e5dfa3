"""ECR: the parts of an image through the API, without the registry protocol: layers up and down, and the manifest.

The emulator answers these calls and keeps nothing.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CompleteLayerUpload.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from brewhaven.local.registry import correction, replace

DOWNLOAD_SECONDS = 60 * 60
PART_BYTES = 10 * 1024 * 1024

Request = dict[str, Any]

_uploads: dict[tuple[str, str], bytearray] = {}
_downloads: dict[str, tuple[str, float]] = {}


def _blobs(repository: str) -> dict[str, bytes]:
    from ministack.services import ecr

    found: dict[str, bytes] = ecr._layer_blobs.get(repository) or {}
    return found


def _refuse(code: str, message: str) -> Any:
    from ministack.core.responses import error_response_json

    return error_response_json(code, message, 400)


def _known(original: Any) -> Any:
    """Only for a repository that exists; otherwise the emulator's own answer."""

    def build(handle: Any) -> Any:
        from ministack.services import ecr

        return lambda data: (handle if data.get("repositoryName") in ecr._repositories else original)(data)

    return build


@correction
def layers_are_kept() -> None:
    """What is uploaded in parts is put together, held against its digest, and kept."""
    from ministack.core.responses import json_response
    from ministack.services import ecr

    def initiate(original: Any) -> Any:
        def handle(data: Request) -> Any:
            identity = secrets.token_hex(16)
            _uploads[data["repositoryName"], identity] = bytearray()
            return json_response({"uploadId": identity, "partSize": PART_BYTES})

        return _known(original)(handle)

    def part(original: Any) -> Any:
        def handle(data: Request) -> Any:
            upload = _uploads.get((data["repositoryName"], data.get("uploadId", "")))
            if upload is None:
                return _no_upload(data)
            if int(data.get("partFirstByte", -1)) != len(upload):
                return _refuse("InvalidLayerPartException", f"The next part begins with byte {len(upload)}.")
            upload += base64.b64decode(data.get("layerPartBlob", ""))
            return json_response(
                {
                    "registryId": ecr._registry_id(),
                    "repositoryName": data["repositoryName"],
                    "uploadId": data["uploadId"],
                    "lastByteReceived": len(upload) - 1,
                }
            )

        return _known(original)(handle)

    def complete(original: Any) -> Any:
        def handle(data: Request) -> Any:
            name = data["repositoryName"]
            upload = _uploads.get((name, data.get("uploadId", "")))
            if upload is None:
                return _no_upload(data)
            if not upload:
                return _refuse("EmptyUploadException", "The upload has no parts.")
            digest = f"sha256:{hashlib.sha256(upload).hexdigest()}"
            if digest not in (data.get("layerDigests") or []):
                return _refuse("InvalidLayerException", f"The uploaded bytes have the digest {digest}.")
            if digest in _blobs(name):
                return _refuse("LayerAlreadyExistsException", f"The layer {digest} is in {name} already.")
            ecr._layer_blobs.setdefault(name, {})[digest] = bytes(upload)
            del _uploads[name, data["uploadId"]]
            return json_response(
                {
                    "registryId": ecr._registry_id(),
                    "repositoryName": name,
                    "uploadId": data["uploadId"],
                    "layerDigest": digest,
                }
            )

        return _known(original)(handle)

    def available(original: Any) -> Any:
        def handle(data: Request) -> Any:
            blobs = _blobs(data["repositoryName"])
            layers = [
                {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": len(blobs[digest])}
                if digest in blobs
                else {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
                for digest in data.get("layerDigests") or []
            ]
            return json_response({"layers": layers, "failures": []})

        return _known(original)(handle)

    replace(ecr, "_initiate_layer_upload", initiate)
    replace(ecr, "_upload_layer_part", part)
    replace(ecr, "_complete_layer_upload", complete)
    replace(ecr, "_batch_check_layer_availability", available)


def _no_upload(data: Request) -> Any:
    return _refuse("UploadNotFoundException", f"There is no upload {data.get('uploadId')}.")


@correction
def an_image_has_its_layers() -> None:
    """PutImage refuses a manifest whose layers are not there, and keeps one whose layers are, so that it can be pulled.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    """
    from ministack.services import ecr

    def build(original: Any) -> Any:
        def put(data: Request) -> Any:
            name, text = data.get("repositoryName", ""), data.get("imageManifest", "")
            try:
                manifest = json.loads(text)
                parts = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
            except (ValueError, LookupError, TypeError):
                return _refuse("InvalidParameterException", "Invalid parameter at 'imageManifest'")
            missing = [digest for digest in parts if digest not in _blobs(name)]
            if missing and name in ecr._repositories:
                return _refuse(
                    "LayersNotFoundException",
                    f"The following layers were not found in the repository '{name}': {', '.join(missing)}",
                )
            answer = original(data)
            if answer[0] == 200:
                digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
                ecr._manifest_blobs.setdefault(name, {})[digest] = text.encode()
            return answer

        return put

    replace(ecr, "_put_image", build)


@correction
def a_layer_can_be_downloaded() -> None:
    """GetDownloadUrlForLayer answers an address that is good for an hour and asks for no credentials.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
    """
    from ministack.core import responses
    from ministack.services import ecr

    def address(original: Any) -> Any:
        def handle(data: Request) -> Any:
            name, digest = data["repositoryName"], data.get("layerDigest", "")
            if digest not in _blobs(name):
                return _refuse("LayersNotFoundException", f"The layer '{digest}' is not in '{name}'.")
            path, token = f"/v2/{name}/blobs/{digest}", secrets.token_urlsafe(24)
            now = time.time()
            for old in [key for key, (_, until) in _downloads.items() if until < now]:
                del _downloads[old]
            _downloads[token] = (path, now + DOWNLOAD_SECONDS)
            registry = f"{responses.get_account_id()}.dkr.ecr.{responses.get_region()}.amazonaws.com"
            # The plain door: on AWS it is an address of S3, whose certificate every client trusts.
            url = f"{os.environ['AWS_ENDPOINT_URL_S3']}{path}?{urlencode({'ns': registry, 'download': token})}"
            return responses.json_response({"downloadUrl": url, "layerDigest": digest})

        return _known(original)(handle)

    def door(original: Any) -> Any:
        async def handle(method: str, path: str, headers: Any, body: bytes, query: Request) -> Any:
            token = ecr._query_first(query, "download")
            granted, until = _downloads.get(token or "", ("", 0.0))
            if method == "GET" and granted == path and until > time.time():
                _verb, name, digest = ecr._parse_v2_path(path)
                ecr._select_registry_request_scope(name, {}, query)
                return ecr._v2_get_blob(name, digest)
            return await original(method, path, headers, body, query)

        return handle

    replace(ecr, "_get_download_url_for_layer", address)
    replace(ecr, "handle_registry_request", door)
