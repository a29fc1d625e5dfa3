"""What counts as a picture.  The name and the declared type of an upload are only claims; the bytes decide."""

import struct
from dataclasses import dataclass
from datetime import datetime

from shop.domain.errors import Invalid

MAX_BYTES = 5_000_000
MAX_SIDE = 6_000
TYPES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_NOT_A_PICTURE = "This is not a JPEG, PNG or WebP picture. (SVG is refused because it can carry scripts.)"


@dataclass(frozen=True, slots=True)
class RejectedPicture:
    """A picture that the shop had taken, and that a closer look has put aside."""

    id: str
    reasons: tuple[str, ...]
    rejected_at: datetime


def look_at(data: bytes) -> str:
    """The content type of a picture, by its bytes.

    Raises `Invalid` when it is none, is cut short, or is larger than the shop shows.
    """
    if not 0 < len(data) <= MAX_BYTES:
        raise Invalid([("file", f"A picture has 1 to {MAX_BYTES} bytes, got {len(data)}.")])
    try:
        content_type, width, height = _measure(data)
    except (struct.error, IndexError, ValueError):
        raise Invalid([("file", _NOT_A_PICTURE)]) from None
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise Invalid([("file", f"A picture has 1 to {MAX_SIDE} pixels a side, got {width} by {height}.")])
    return content_type


def _measure(data: bytes) -> tuple[str, int, int]:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and b"IEND" in data[-12:]:
        width, height = struct.unpack(">II", data[16:24])
        return "image/png", width, height
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP" and struct.unpack("<I", data[4:8])[0] + 8 <= len(data):
        return "image/webp", *_measure_webp(data)
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", *_measure_jpeg(data)
    raise ValueError("unknown")


def _measure_webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8 ":
        if data[23:26] != b"\x9d\x01\x2a":
            raise ValueError("no VP8 start code")
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        if data[20] != 0x2F:
            raise ValueError("no VP8L signature")
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError("unknown WebP")


def _measure_jpeg(data: bytes) -> tuple[int, int]:
    """Walk from marker to marker to the frame header; every picture has one before its data begins."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            if data.rfind(b"\xff\xd9") < at:
                raise ValueError("cut short")
            return width, height
        if marker == 0xDA or length < 2:
            raise ValueError("no frame header")
        at += 2 + length
