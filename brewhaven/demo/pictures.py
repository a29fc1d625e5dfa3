"""What the demo uploads: a picture that nobody has uploaded before, and a file that only begins and ends like one."""

from __future__ import annotations

import struct
import uuid
import zlib

from brewhaven.local.settings import REPOSITORY

PICTURE = REPOSITORY / "storefront" / "menu" / "pictures" / "espresso.webp"


def new_picture() -> bytes:
    """A picture of the menu with a chunk that no program reads: the shop names pictures after their bytes."""
    data = PICTURE.read_bytes()
    chunk = _riff(b"DEMO", uuid.uuid4().bytes)
    size = struct.unpack("<I", data[4:8])[0] + len(chunk)
    return data[:4] + struct.pack("<I", size) + data[8:] + chunk


def no_picture() -> bytes:
    """A PNG's head and end with noise between: the shop looks at head and end alone, whoever opens it sees more."""
    head = struct.pack(">IIBBBBB", 640, 480, 8, 2, 0, 0, 0)
    noise = _png(b"IDAT", uuid.uuid4().bytes * 64)
    return b"\x89PNG\r\n\x1a\n" + _png(b"IHDR", head) + noise + _png(b"IEND", b"")


def form(fields: dict[str, str], data: bytes) -> tuple[bytes, str]:
    """A form as a browser sends it, the file last; and its content type."""
    edge = f"brewhaven-{uuid.uuid4().hex}"
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="picture"\r\n\r\n')
    return "".join(parts).encode() + data + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def _riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2)


def _png(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
