"""What counts as a picture, and how one gets from a manager's computer into the menu."""

import contextlib
import struct
import uuid
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.domain.errors import Invalid
from shop.domain.pictures import MAX_BYTES, MAX_SIDE, look_at
from shop.services import Services
from tests.unit.shop.browser import Browser
from tests.unit.shop.pictures import SVG, jpeg, png, webp

PRODUCT = {
    "category": "coffee",
    "name": "Cortado",
    "description": "Half and half.",
    "sizes": [{"id": "one", "name": "One", "price_cents": 300}],
}


@pytest.mark.parametrize(
    ("data", "content_type"), [(png(), "image/png"), (jpeg(), "image/jpeg"), (webp(), "image/webp")]
)
def test_a_picture_is_known_by_its_bytes(data: bytes, content_type: str) -> None:
    assert look_at(data) == content_type


VP8 = b"VP8 " + struct.pack("<I", 10) + b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
VP8X = b"VP8X" + struct.pack("<I", 10) + b"\x00" * 4 + b"\x7f\x02\x00" + b"\xdf\x01\x00"


@pytest.mark.parametrize("chunk", [VP8, VP8X])
def test_every_kind_of_webp_is_known(chunk: bytes) -> None:
    assert look_at(b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk) == "image/webp"


@pytest.mark.parametrize(
    "data",
    [
        SVG,
        b"",
        b"GIF89a" + b"\x00" * 20,
        b"<html>",
        b"\x89PNG\r\n\x1a\n",
        png()[:40],
        jpeg()[:30],
        webp()[:18],
        b"\xff\xd8\xff" + SVG,
        b"RIFF\xff\xff\xff\x7fWEBPVP8L",
        png(MAX_SIDE + 1, 1),
        jpeg(0, 5),
        b"\x00" * (MAX_BYTES + 1),
    ],
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        look_at(data)


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\x00\x00\x00WEBP"])
)
def test_no_bytes_confuse_it(data: bytes, start: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert look_at(start + data).startswith("image/")


def upload(manager: Browser, data: bytes, content_type: str = "image/png") -> tuple[str, requests.Response]:
    asked = manager.post("/api/uploads", {"content_type": content_type, "size_bytes": len(data) or 1}, expect=201)
    answer = requests.post(asked["url"], data=asked["fields"], files={"file": ("a", data)}, timeout=10)
    return asked["id"], answer


def test_an_uploaded_picture_appears_in_the_menu(manager: Browser, guest: Browser) -> None:
    upload_id, answer = upload(manager, png())
    assert answer.status_code in {200, 201, 204}, answer.text
    picture = manager.post(f"/api/uploads/{upload_id}/complete")
    assert manager.post(f"/api/uploads/{upload_id}/complete") == picture
    product = add(manager, {**PRODUCT, "picture": picture["picture"], "picture_alt": "A cortado"})
    shown = guest.get(f"/api/menu/{product['id']}")
    moved = guest.raw("GET", shown["picture_url"])
    assert moved.status_code == 302
    assert moved.headers["Cache-Control"] == "private, max-age=300"
    got = requests.get(moved.headers["Location"], timeout=10)
    assert (got.content, got.headers["Content-Type"]) == (png(), "image/png")


def located(guest: Browser, url: str) -> str:
    """The key of the object that an address of the shop leads to."""
    moved = guest.raw("GET", url)
    assert moved.status_code == 302
    return urlsplit(moved.headers["Location"]).path.rpartition("media/")[2]


def test_a_card_shows_the_thumbnail_once_there_is_one_and_the_picture_until_then(
    manager: Browser, guest: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id, _ = upload(manager, png(5, 7))
    key = manager.post(f"/api/uploads/{upload_id}/complete")["picture"]
    product = add(manager, {**PRODUCT, "name": "Small", "picture": key, "picture_alt": "A cortado"})
    shown = guest.get(f"/api/menu/{product['id']}")
    assert located(guest, shown["thumbnail_url"]) == key.removeprefix("media/")
    name = key.rpartition("/")[2].removesuffix(".png")
    boto3.client("s3").put_object(Bucket="assets", Key=f"media/thumbnails/{name}.webp", Body=webp())
    services.pictures._small.clear()  # half a minute later
    assert located(guest, shown["thumbnail_url"]) == f"thumbnails/{name}.webp"
    assert located(guest, shown["picture_url"]) == key.removeprefix("media/")

    def asked(*_: Any) -> Any:
        raise AssertionError("it is known that the thumbnail is there")

    monkeypatch.setattr(services.pictures, "exists", asked)
    assert located(guest, shown["thumbnail_url"]) == f"thumbnails/{name}.webp"


def test_a_picture_of_the_menu_itself_has_no_second_address(guest: Browser) -> None:
    latte = guest.get("/api/menu/latte")
    assert latte["thumbnail_url"] == latte["picture_url"]


def test_no_page_reaches_a_thumbnail_or_a_size_that_is_none(guest: Browser) -> None:
    guest.get("/media/thumbnails/any.webp", expect=404)
    guest.get("/media/uploads/incoming/any?size=small", expect=404)
    guest.get("/media/menu/latte.webp?size=huge", expect=422)


def test_the_declared_type_does_not_decide(manager: Browser) -> None:
    upload_id, _ = upload(manager, webp(), "image/png")
    assert manager.post(f"/api/uploads/{upload_id}/complete")["picture"].endswith(".webp")


def test_an_svg_with_a_script_is_refused_and_never_shown(manager: Browser, guest: Browser) -> None:
    upload_id, _ = upload(manager, SVG)
    problem = manager.post(f"/api/uploads/{upload_id}/complete", expect=422)
    assert "SVG" in problem["detail"]
    guest.get(f"/media/uploads/incoming/{upload_id}", expect=404)
    problem = add(manager, {**PRODUCT, "picture": f"media/uploads/incoming/{upload_id}"}, expect=422)
    assert problem["errors"][0]["field"] == "picture"


def test_replacing_the_upload_afterwards_does_not_replace_the_picture(manager: Browser, services: Services) -> None:
    upload_id, _ = upload(manager, png())
    key = manager.post(f"/api/uploads/{upload_id}/complete")["picture"]
    s3 = boto3.client("s3")
    s3.put_object(Bucket="assets", Key=f"media/uploads/incoming/{upload_id}", Body=SVG)
    assert s3.get_object(Bucket="assets", Key=key)["Body"].read() == png()


def test_what_arrives_and_what_is_shown_are_in_folders_of_their_own(manager: Browser) -> None:
    """The bucket forgets the first folder after a day (see AssetBucket), and never the second."""
    asked = manager.post("/api/uploads", {"content_type": "image/png", "size_bytes": 9}, expect=201)
    assert asked["fields"]["key"] == f"media/uploads/incoming/{asked['id']}"
    upload_id, _ = upload(manager, png())
    shown = manager.post(f"/api/uploads/{upload_id}/complete")["picture"]
    assert shown.startswith("media/uploads/checked/")


def test_an_upload_that_never_arrived(manager: Browser) -> None:
    asked = manager.post("/api/uploads", {"content_type": "image/png", "size_bytes": 9}, expect=201)
    manager.post(f"/api/uploads/{asked['id']}/complete", expect=404)
    manager.post("/api/uploads/..%2Fsecret/complete", expect=404)


def test_s3_itself_refuses_what_is_too_large_or_of_another_type(manager: Browser) -> None:
    asked = manager.post("/api/uploads", {"content_type": "image/png", "size_bytes": 9}, expect=201)
    large = requests.post(asked["url"], data=asked["fields"], files={"file": ("a", b"0" * (MAX_BYTES + 1))}, timeout=20)
    assert large.status_code >= 400
    fields = {**asked["fields"], "Content-Type": "image/svg+xml"}
    other = requests.post(asked["url"], data=fields, files={"file": ("a", SVG)}, timeout=10)
    assert other.status_code >= 400


@pytest.mark.parametrize(
    "body",
    [
        {"content_type": "image/svg+xml", "size_bytes": 9},
        {"content_type": "image/png", "size_bytes": MAX_BYTES + 1},
        {"content_type": "image/png", "size_bytes": 0},
    ],
)
def test_the_shop_refuses_to_ask_for_what_it_would_refuse(manager: Browser, body: dict[str, Any]) -> None:
    manager.post("/api/uploads", body, expect=422)


def test_a_product_cannot_name_a_picture_that_is_not_there(manager: Browser) -> None:
    add(manager, {**PRODUCT, "picture": "media/menu/nothing.webp"}, expect=422)


def add(manager: Browser, product: dict[str, Any], expect: int = 201) -> Any:
    return manager.post("/api/products", product, expect=expect, headers={"Idempotency-Key": str(uuid.uuid4())})
