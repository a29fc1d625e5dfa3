"""What picture_check decides and in which order it carries it out, without AWS."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PIL import Image

from picture_check.bucket import Places
from picture_check.catalog import Catalog, to_record
from picture_check.checking import (
    MAX_BYTES,
    MAX_SIDE,
    Label,
    NoPictureError,
    PictureCheck,
    Prepared,
    Record,
    objectionable,
)
from picture_check.studio import THUMBNAIL, PillowStudio
from picture_check.upload import NotAnUploadError, Upload, read_upload

KEY = "media/uploads/checked/1f0c.jpg"
PLACES = Places("media/uploads/checked/", "media/thumbnails/", "quarantine/")
UPLOAD = Upload(KEY, 1000, "abc")
RUDE = Label("Rude Gestures", 99.0)


@dataclass
class World:
    """Everything around the check, remembering what was done to it in order."""

    does: list[str] = field(default_factory=list)
    broken: str = ""
    found: list[Label] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    refuses: str = ""
    products: tuple[str, ...] = ()

    def _do(self, what: str) -> None:
        if what == self.broken:
            raise OSError(what)
        self.does.append(what)

    def read(self, key: str) -> bytes:
        self._do("read")
        return b"bytes"

    def prepare(self, data: bytes) -> Prepared:
        if self.refuses:
            raise NoPictureError(self.refuses)
        return Prepared(800, 600, b"jpeg", b"webp")

    def labels(self, jpeg: bytes) -> Sequence[Label]:
        return [Label("Cup", 80.0), Label("Coffee", 99.0)]

    def objections(self, jpeg: bytes) -> Sequence[Label]:
        return self.found

    def keep_thumbnail(self, key: str, thumbnail: bytes) -> None:
        self._do("thumbnail")

    def quarantine(self, key: str) -> None:
        self._do("quarantine")

    def remove(self, key: str) -> None:
        self._do("remove")

    def find(self, key: str) -> Record | None:
        return self.records.get(key)

    def save(self, record: Record) -> None:
        self._do("save")
        self.records[record.key] = record

    def take_off_menu(self, key: str) -> Sequence[str]:
        self._do("take off")
        return self.products

    def finish(self, record: Record) -> None:
        self._do("finish")
        self.records[record.key] = replace(record, done=True)

    def tell(self, record: Record, products: Sequence[str]) -> None:
        self._do("tell")

    def check(self, upload: Upload = UPLOAD) -> str:
        return PictureCheck(pictures=self, studio=self, eyes=self, records=self, staff=self).check(upload)


def test_a_good_picture_gets_a_thumbnail_and_a_record() -> None:
    world = World()
    assert world.check() == "accepted"
    assert world.does == ["read", "thumbnail", "save"]
    record = world.records[KEY]
    assert (record.accepted, record.done, record.width, record.height) == (True, True, 800, 600)
    assert [label.name for label in record.labels] == ["Coffee", "Cup"]


def test_a_bad_picture_is_written_down_before_it_is_put_aside() -> None:
    world = World(found=[RUDE])
    assert world.check() == "rejected"
    assert world.does == ["read", "quarantine", "save", "remove", "take off", "tell", "finish"]
    assert world.records[KEY].reasons == ("Rekognition is 99 per cent sure of Rude Gestures.",)
    assert world.records[KEY].done


@pytest.mark.parametrize("found", [[], [RUDE]])
def test_the_same_event_again_does_nothing(found: list[Label]) -> None:
    world = World(found=found)
    world.check()
    world.does.clear()
    assert world.check() == "known"
    assert world.does == []


@pytest.mark.parametrize("broken", ["remove", "take off", "tell", "finish"])
def test_what_was_broken_off_is_carried_on_without_deciding_again(broken: str) -> None:
    world = World(found=[RUDE], broken=broken)
    with pytest.raises(OSError, match=broken):
        world.check()
    world.broken, world.found = "", []
    world.does.clear()
    assert world.check() == "rejected"
    assert world.does == ["remove", "take off", "tell", "finish"]
    assert world.check() == "known"


@pytest.mark.parametrize("broken", ["quarantine", "save"])
def test_what_was_not_written_down_is_decided_again(broken: str) -> None:
    world = World(found=[RUDE], broken=broken)
    with pytest.raises(OSError, match=broken):
        world.check()
    assert world.records == {}
    world.broken = ""
    assert world.check() == "rejected"


def test_other_bytes_under_the_same_key_are_decided_anew() -> None:
    world = World(found=[RUDE])
    world.check()
    world.found = []
    assert world.check(replace(UPLOAD, etag="def")) == "accepted"
    assert world.records[KEY].accepted


@pytest.mark.parametrize("size", [0, MAX_BYTES + 1, 50_000_000])
def test_a_file_that_is_too_large_is_never_fetched(size: int) -> None:
    world = World()
    assert world.check(replace(UPLOAD, size=size)) == "rejected"
    assert "read" not in world.does
    assert world.records[KEY].reasons == (f"A picture has 1 to {MAX_BYTES} bytes, and this file has {size}.",)


def test_what_is_no_picture_is_put_aside_without_asking_anybody() -> None:
    world = World(refuses="This is not a picture.")
    assert world.check() == "rejected"
    assert world.records[KEY].reasons == ("This is not a picture.",)


# Moderation labels


@pytest.mark.parametrize(
    ("labels", "reasons"),
    [
        ([], ()),
        ([Label("Violence", 79.9)], ()),
        ([Label("Alcohol", 99.0), Label("Drinking", 99.0, "Alcohol")], ()),
        ([Label("Violence", 90.0), Label("Weapons", 96.4, "Violence")],
         ("Rekognition is 96 per cent sure of Weapons.",)),
        ([Label("Violence", 90.0), Label("Explicit", 95.0)],
         ("Rekognition is 95 per cent sure of Explicit.", "Rekognition is 90 per cent sure of Violence.")),
    ],
)  # fmt: skip
def test_one_sure_category_is_enough(labels: list[Label], reasons: tuple[str, ...]) -> None:
    assert objectionable(labels) == reasons


# The event


def event(**changed: Any) -> str:
    stored = {"key": KEY, "size": 1000, "etag": "abc", "sequencer": "0055", **changed}
    return json.dumps({"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": stored}})


def test_an_event_of_s3_is_read() -> None:
    assert read_upload(event()) == UPLOAD


@pytest.mark.parametrize(
    "body", ["nonsense", "[]", "{}", '{"detail-type": "Object Deleted", "detail": {}}', event(size="7"), event(key="")]
)
def test_anything_else_is_refused_with_its_words(body: str) -> None:
    with pytest.raises(NotAnUploadError):
        read_upload(body)


# Pillow


def drawn(size: tuple[int, int] = (800, 600), format_: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "brown").save(out, format_, **options)
    return out.getvalue()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_every_format_of_the_shop_is_opened(format_: str) -> None:
    prepared = PillowStudio().prepare(drawn(format_=format_))
    assert (prepared.width, prepared.height) == (800, 600)
    assert Image.open(io.BytesIO(prepared.jpeg)).format == "JPEG"
    thumbnail = Image.open(io.BytesIO(prepared.thumbnail))
    assert thumbnail.format == "WEBP"
    assert thumbnail.size == THUMBNAIL


def test_a_small_picture_is_not_blown_up() -> None:
    assert Image.open(io.BytesIO(PillowStudio().prepare(drawn((60, 60))).thumbnail)).size == (60, 60)


def test_transparency_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (100, 100), (255, 0, 0, 0)).save(out, "PNG")
    jpeg = Image.open(io.BytesIO(PillowStudio().prepare(out.getvalue()).jpeg))
    assert jpeg.getpixel((50, 50)) == (255, 255, 255)


def test_a_picture_is_turned_upright_and_forgets_what_the_camera_wrote() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: to be turned by 90 degrees
    exif[0x010F] = "A camera"
    prepared = PillowStudio().prepare(drawn((400, 200), exif=exif))
    jpeg = Image.open(io.BytesIO(prepared.jpeg))
    assert jpeg.size == (200, 400)
    assert not jpeg.getexif()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG or WebP"),
        (drawn(format_="GIF"), "not a JPEG, PNG or WebP"),
        (drawn()[:2000], "only a part"),
        (drawn((MAX_SIDE + 1, 10)), f"at most {MAX_SIDE} pixels a side, and this has {MAX_SIDE + 1} by 10"),
    ],
)
def test_what_cannot_be_shown_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(NoPictureError, match=why):
        PillowStudio().prepare(data)


# The table and the bucket


def test_a_record_survives_the_table() -> None:
    records = [
        Record(KEY, "abc", True, True, (), (Label("Cup", 81.0, "Drink"),), 800, 600),
        Record(KEY, "abc", False, False, ("Because.",), (), 0, 0),
    ]
    for record in records:
        kept: dict[str, Any] = {}

        class Client:
            def put_item(self, Item: dict[str, Any], to: dict[str, Any] = kept, **_: Any) -> None:  # noqa: N803
                to.update(Item)

        Catalog(Client(), "table", PLACES, lambda: 0.0).save(record)  # type: ignore[arg-type]
        assert to_record(kept) == record
        assert kept["pk"] == {"S": "PICTURE#1f0c.jpg"}
        assert ("gsi1pk" in kept) is not record.accepted


def test_names_of_places() -> None:
    assert PLACES.thumbnail(KEY) == "media/thumbnails/1f0c.webp"
    assert PLACES.quarantined(KEY) == "quarantine/1f0c.jpg"


def test_only_new_objects_of_its_own_folder_are_its_business() -> None:
    """The function writes into other folders than it reads, so that it can never start itself."""
    written = (PLACES.thumbnail(KEY), PLACES.quarantined(KEY))
    assert not any(key.startswith(PLACES.pictures) for key in written)
