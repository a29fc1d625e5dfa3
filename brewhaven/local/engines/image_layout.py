"""What an image of the local cloud consists of: a manifest, a configuration and one layer of files.

The form is the registry's own (OCI), so that it is pushed, listed, described and deleted with the ordinary ECR
operations. The installed packages are not in the layer: the configuration carries the text of the requirements, and
whoever starts a container makes the environment from it.
https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
REQUIREMENTS_LABEL = "brewhaven.requirements"
PYTHON_LABEL = "brewhaven.python"


def digest_of(data: bytes) -> str:
    """The name by which a registry knows these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(document: dict[str, Any]) -> bytes:
    """JSON whose bytes are the same for the same content."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Image:
    """An image in memory."""

    config: bytes
    layer: bytes

    @property
    def manifest(self) -> bytes:
        """The document that names configuration and layer."""
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": CONFIG_TYPE, "size": len(self.config), "digest": digest_of(self.config)},
                "layers": [{"mediaType": LAYER_TYPE, "size": len(self.layer), "digest": digest_of(self.layer)}],
            }
        )

    @property
    def blobs(self) -> dict[str, bytes]:
        """Configuration and layer under their digests."""
        return {digest_of(data): data for data in (self.config, self.layer)}
