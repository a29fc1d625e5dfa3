"""The manager's list of rejected pictures, over items as the picture check writes them."""

from typing import Any

from picture_check.bucket import Places
from picture_check.catalog import Catalog
from picture_check.checking import Label, Record
from shop.settings import Settings
from tests.unit.shop.browser import Browser

PLACES = Places("media/uploads/checked/", "media/thumbnails/", "quarantine/")
RUDE = ("Rekognition is 99 per cent sure of Rude Gestures.",)


def write(dynamodb: Any, settings: Settings, name: str, at: float, *, accepted: bool = False) -> None:
    labels = (Label("Cup", 81.4, "Drink"),)
    record = Record(PLACES.pictures + name, "etag", accepted, accepted, () if accepted else RUDE, labels, 800, 600)
    Catalog(dynamodb, settings.catalog_table, PLACES, lambda: at).save(record)


def test_in_phase_1_there_are_none(manager: Browser) -> None:
    assert manager.get("/api/pictures/rejected") == {"pictures": []}


def test_the_newest_comes_first_with_its_reasons(dynamodb: Any, settings: Settings, manager: Browser) -> None:
    write(dynamodb, settings, "old.jpg", 1_000_000_000)
    write(dynamodb, settings, "new.jpg", 1_700_000_000)
    write(dynamodb, settings, "good.jpg", 1_700_000_000, accepted=True)
    found = manager.get("/api/pictures/rejected")["pictures"]
    assert [each["id"] for each in found] == ["new.jpg", "old.jpg"]
    assert found[0]["reasons"] == list(RUDE)
    assert found[0]["rejected_at"].startswith("2023-11-14T22:13:20")


def test_a_dismissed_picture_is_off_the_list_and_still_known(
    dynamodb: Any, settings: Settings, manager: Browser
) -> None:
    write(dynamodb, settings, "a b/bad.jpg", 1_000_000_000)
    for _ in range(2):
        rest = manager.raw("DELETE", "/api/pictures/rejected/a%20b/bad.jpg", None)
        assert (rest.status_code, rest.json()) == (200, {"pictures": []})
    key = {"pk": {"S": "PICTURE#a b/bad.jpg"}, "sk": {"S": "PICTURE"}}
    assert dynamodb.get_item(TableName=settings.catalog_table, Key=key)["Item"]["status"] == {"S": "rejected"}


def test_the_check_takes_a_picture_off_every_product(dynamodb: Any, settings: Settings, manager: Browser) -> None:
    picture = PLACES.pictures + "bad.jpg"
    for product, sort in (("latte", "MENU"), ("croissant", "RETIRED")):
        dynamodb.update_item(
            TableName=settings.catalog_table,
            Key={"pk": {"S": f"PRODUCT#{product}"}, "sk": {"S": "PRODUCT"}},
            UpdateExpression="SET picture = :picture, gsi1pk = :menu",
            ExpressionAttributeValues={":picture": {"S": picture}, ":menu": {"S": sort}},
        )
    before = {each["id"]: each for each in manager.get("/api/products")["products"]}
    catalog = Catalog(dynamodb, settings.catalog_table, PLACES)
    assert sorted(catalog.take_off_menu(picture)) == ["Caffè latte", "Croissant"]
    after = {each["id"]: each for each in manager.get("/api/products")["products"]}
    assert after["latte"]["picture"] is None
    assert after["latte"]["version"] == before["latte"]["version"] + 1
    assert after["espresso"]["picture"] == before["espresso"]["picture"]
    assert catalog.take_off_menu(picture) == []
