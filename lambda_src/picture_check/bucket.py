"""The pictures in the shop's bucket, their thumbnails, and the quarantine."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Places:
    """Where pictures come from, and where thumbnails and rejected ones go: beginnings of keys, each ending in `/`."""

    pictures: str
    thumbnails: str
    quarantine: str

    def thumbnail(self, key: str) -> str:
        """The thumbnail of a picture has its name, so whoever knows the picture knows it too."""
        return f"{self.thumbnails}{PurePosixPath(self.name(key)).with_suffix('.webp')}"

    def quarantined(self, key: str) -> str:
        return f"{self.quarantine}{self.name(key)}"

    def name(self, key: str) -> str:
        return key.removeprefix(self.pictures)


class Bucket:
    """Implements `Pictures`."""

    def __init__(self, client: "S3Client", bucket: str, places: Places) -> None:
        self._client = client
        self._bucket = bucket
        self._places = places

    def read(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def keep_thumbnail(self, key: str, thumbnail: bytes) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._places.thumbnail(key),
            Body=thumbnail,
            ContentType="image/webp",
            CacheControl=FOREVER,
        )

    def quarantine(self, key: str) -> None:
        """S3 copies by itself, so the function never holds what may be 50 megabytes. Tags are not taken along."""
        self._client.copy_object(
            Bucket=self._bucket,
            Key=self._places.quarantined(key),
            CopySource={"Bucket": self._bucket, "Key": key},
            TaggingDirective="REPLACE",
        )

    def remove(self, key: str) -> None:
        """In a bucket with versions this hides the object: whoever asks for it finds nothing."""
        self._client.delete_object(Bucket=self._bucket, Key=key)
