"""The pictures in the bucket: presigned reads and uploads, and the copy that is made of a checked upload.

The shop's role may read and write by key but not list the bucket, and to such a caller S3 answers 403 instead of 404
for what is not there.  So both mean: nothing there.
"""

import hashlib
import threading
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from shop.adapters.table import speaking
from shop.domain.catalog import CHECKED_PICTURES, THUMBNAILS
from shop.domain.errors import Invalid, NotFound, Unavailable
from shop.domain.ids import is_id, new_id
from shop.domain.pictures import MAX_BYTES, TYPES, look_at
from shop.domain.ports import UploadRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UPLOADS = "media/uploads/incoming/"  # the bucket forgets what is here after a day
_READ_SECONDS = 900
_REUSED_SECONDS = 300.0
_LOOKED_FOR_AGAIN_SECONDS = 30.0
_UPLOAD_SECONDS = 600
_MOST_REMEMBERED = 1_000
_MISSING = {"404", "NoSuchKey", "NotFound", "403", "AccessDenied"}


class S3Pictures:
    """Implements `shop.domain.ports.Pictures`.

    An upload goes to a folder that no page shows.  Once its bytes are checked, a copy named after them goes to the
    folder that pages show: whoever still holds the upload request can replace the upload, but not the picture.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._signed: dict[str, tuple[float, str]] = {}
        self._small: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._origins: tuple[str, ...] = ()

    def url(self, key: str) -> str:
        """The same address for five minutes, so that the browser's cache can use it, and signing costs little."""
        until, url = self._signed.get(key, (0.0, ""))
        if time.monotonic() < until:
            return url
        with speaking():
            url = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=_READ_SECONDS
            )
        with self._lock:
            if len(self._signed) >= _MOST_REMEMBERED:
                self._signed.clear()
            self._signed[key] = (time.monotonic() + _REUSED_SECONDS, url)
        return url

    def small_url(self, key: str) -> str:
        """Uploads get a thumbnail from the picture check of a later phase, within seconds; until then there is none.

        S3 is asked once in five minutes whether it is there, and again soon while it is not.
        """
        if not key.startswith(CHECKED_PICTURES):
            return self.url(key)
        until, shown = self._small.get(key, (0.0, ""))
        if time.monotonic() >= until:
            thumbnail = _thumbnail_of(key)
            found = self.exists(thumbnail)
            shown = thumbnail if found else key
            with self._lock:
                if len(self._small) >= _MOST_REMEMBERED:
                    self._small.clear()
                kept = _REUSED_SECONDS if found else _LOOKED_FOR_AGAIN_SECONDS
                self._small[key] = (time.monotonic() + kept, shown)
        return self.url(shown)

    def origins(self) -> tuple[str, ...]:
        """Asked of the client's own addresses, so that it is right wherever the bucket is.  Empty until it can sign."""
        if not self._origins:
            try:
                addresses = [self.url(f"{CHECKED_PICTURES}any"), self.new_upload("image/png").url]
            except Unavailable:
                return ()
            parts = [urlsplit(address) for address in addresses]
            self._origins = tuple(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))
        return self._origins

    def new_upload(self, content_type: str) -> UploadRequest:
        upload_id = new_id()
        with speaking():
            post = self._client.generate_presigned_post(
                self._bucket,
                _UPLOADS + upload_id,
                Fields={"Content-Type": content_type},
                Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, MAX_BYTES]],
                ExpiresIn=_UPLOAD_SECONDS,
            )
        return UploadRequest(upload_id, post["url"], post["fields"], MAX_BYTES, _UPLOAD_SECONDS)

    def accept(self, upload_id: str) -> str:
        data = self._read(_UPLOADS + upload_id) if is_id(upload_id) else None
        if data is None:
            raise NotFound("Nothing has been uploaded here. Please upload the picture again.")
        content_type = look_at(data)
        key = f"{CHECKED_PICTURES}{hashlib.sha256(data).hexdigest()[:32]}.{TYPES[content_type]}"
        with speaking():
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                CacheControl="public, max-age=31536000, immutable",
            )
        return key

    def exists(self, key: str) -> bool:
        return self._ask(lambda: self._client.head_object(Bucket=self._bucket, Key=key)) is not None

    def _read(self, key: str) -> bytes | None:
        answer = self._ask(lambda: self._client.get_object(Bucket=self._bucket, Key=key))
        if answer is None:
            return None
        if answer["ContentLength"] > MAX_BYTES:
            raise Invalid([("file", f"A picture has at most {MAX_BYTES} bytes, got {answer['ContentLength']}.")])
        body: bytes = answer["Body"].read()
        return body

    def _ask(self, call: Any) -> Any:
        with speaking():
            try:
                return call()
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    return None
                raise


def _thumbnail_of(key: str) -> str:
    """A thumbnail has the name of its picture, and is always WebP."""
    return f"{THUMBNAILS}{PurePosixPath(key).with_suffix('.webp').name}"
