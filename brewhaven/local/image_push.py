"""Push an image to the local cloud's ECR over the registry protocol, as ``docker push`` would.

https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.error
import urllib.request
from http import HTTPStatus

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.image_layout import MANIFEST_TYPE, Image, digest_of

PUSH_SECONDS = 60


class PushError(BrewHavenError):
    """The registry did not take the image."""


def push(image: Image, registry: str, repository: str, tag: str, credentials: tuple[str, str]) -> str:
    """Upload what the registry lacks and name it with a tag; return the image's digest.

    Args:
        image: What to push.
        registry: Name of the registry such as ``<account>.dkr.ecr.<region>.amazonaws.com``.
        repository: Name of the repository.
        tag: The tag.
        credentials: User and password that ``login`` got from ECR.

    Raises:
        PushError: ECR refused; carries its words.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise PushError(
            "This image builder pushes to the local cloud alone, and AWS_ENDPOINT_URL does not name one.",
            'For the local cloud run `eval "$(brewhaven env)"`; for AWS unset CDK_DOCKER and install Docker or Finch.',
        )
    session = _Session(endpoint, registry, credentials)
    for digest, data in image.blobs.items():
        # Whoever may not ask whether it is there is told so when uploading: the answer to HEAD has no words.
        if session.call("HEAD", f"/v2/{repository}/blobs/{digest}", fine=(403, 404)) != HTTPStatus.OK:
            session.call("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data)
    session.call("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, MANIFEST_TYPE)
    return digest_of(image.manifest)


class _Session:
    def __init__(self, endpoint: str, registry: str, credentials: tuple[str, str]) -> None:
        self._endpoint = endpoint
        self._registry = registry
        self._authorization = "Basic " + base64.b64encode(":".join(credentials).encode()).decode()
        self._tls = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/octet-stream",
        fine: tuple[int, ...] = (),
    ) -> int:
        request = urllib.request.Request(  # noqa: S310  (the endpoint is the local cloud's)
            self._endpoint + path,
            data=body,
            method=method,
            # The name of the registry stands in the Host header: no DNS leads from it to this machine.
            headers={"Host": self._registry, "Authorization": self._authorization, "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=PUSH_SECONDS) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            if error.code in fine:
                return error.code
            raise PushError(f"{self._registry} refused the image: {_words(error)}") from None
        except OSError as error:
            raise PushError(
                f"No answer from the registry at {self._endpoint}: {error}.", "Is the local cloud running?"
            ) from None


def _words(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["errors"][0]["message"])
    except (ValueError, LookupError):
        return f"HTTP {error.code}"
