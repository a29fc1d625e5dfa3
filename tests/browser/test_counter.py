"""Stories of those behind the counter: the barista and the manager."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.pages import Shop

Visitor = Callable[..., Shop]
PICTURE = Path(__file__).resolve().parents[2] / "storefront" / "menu" / "pictures" / "espresso.webp"


def test_a_barista_serves_while_the_guest_watches(guest: Shop, barista: Shop) -> None:
    barista.open("/board.html")
    guest.open("/").add("Caffè Latte").check_out("Mira", note="With a smile")
    number = guest.ordered()

    slip = barista.slip("New", number)
    expect(slip).to_contain_text("Caffè Latte")
    expect(slip).to_contain_text("With a smile")
    slip.get_by_role("button", name=f"Start making: {number}").click()
    expect(guest.step).to_contain_text("Being made")
    barista.slip("Making", number).get_by_role("button", name=f"Ready: {number}").click()
    expect(guest.step).to_contain_text("Ready to collect")
    expect(guest.page.get_by_role("status").filter(has_text="Ready to collect")).to_have_count(1)
    barista.slip("Ready", number).get_by_role("button", name=f"Handed over: {number}").click()
    expect(barista.slip("Collected", number)).to_be_visible()
    expect(guest.page.get_by_role("button", name="Order again")).to_be_visible()


def test_a_barista_cancels_and_the_guest_sees_it(guest: Shop, barista: Shop) -> None:
    barista.open("/board.html")
    guest.open("/").add("Espresso").check_out("Mira")
    number = guest.ordered()
    barista.slip("New", number).get_by_role("button", name=f"Cancel {number}").click()
    barista.page.get_by_role("button", name="Cancel the order").click()
    expect(guest.page.get_by_text("This order was cancelled. Nothing of it will be made.", exact=True)).to_be_visible()
    expect(barista.slip("New", number)).to_have_count(0)


def test_a_manager_adds_a_product_with_a_picture_that_appears_in_the_menu(guest: Shop, manager: Shop) -> None:
    name = f"Harbour Bun {uuid.uuid4().hex[:5]}"
    manager.open("/manager.html")
    form = manager.new_product(name, price="3.40", description="Round, warm and gone by noon.", picture=PICTURE)
    expect(form.get_by_text("The picture is there.")).to_be_visible()
    form.get_by_label("What it shows").fill("A bun on a plate")
    form.get_by_label("Gluten").check()
    form.get_by_label("Stock").fill("7")
    form.get_by_role("button", name="Put it on the menu").click()
    expect(manager.product_row(name)).to_be_visible()

    guest.open("/")
    expect(guest.item(name)).to_contain_text("€3.40")
    expect(guest.item(name).get_by_role("img", name="A bun on a plate")).to_be_visible()
    assert "/media/" in guest.picture_of(name)

    manager.product_row(name).get_by_role("button", name=f"Edit {name}").click()
    editor = manager.page.get_by_role("dialog", name=f"Edit {name}")
    editor.get_by_label("Size 1: Price in euros").fill("3,60")
    editor.get_by_role("button", name="Save").click()
    expect(manager.product_row(name)).to_contain_text("€3.60")
    guest.add(name)
    manager.product_row(name).get_by_role("button", name=f"Retire {name}").click()
    expect(manager.product_row(name)).to_have_count(0)
    guest.open("/")
    expect(guest.item(name)).to_have_count(0)
    drawer = guest.open_cart()
    expect(drawer.get_by_text(f"{name} is no longer on the menu.")).to_be_visible()
    expect(drawer.get_by_role("link", name="Go to checkout")).to_have_count(0)


def test_the_manager_is_told_what_is_wrong_with_a_product(manager: Shop) -> None:
    manager.open("/manager.html")
    form = manager.new_product("", price="-1", description="Cheap")
    form.get_by_role("button", name="Put it on the menu").click()
    price = form.get_by_label("Size 1: Price in euros")
    expect(price).to_have_attribute("aria-invalid", "true")
    expect(price).to_be_focused()
    price.fill("1.00")
    form.get_by_role("button", name="Put it on the menu").click()
    expect(form.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")


def test_the_manager_sees_rejected_pictures_until_they_are_dismissed(manager: Shop) -> None:
    picture = {"id": "1f0c.jpg", "reasons": ["Rekognition is 97 per cent sure of Rude Gestures."],
               "rejected_at": "2026-11-28T10:00:00Z"}  # fmt: skip
    manager.page.route("**/api/pictures/rejected", lambda route: route.fulfill(json={"pictures": [picture]}))
    manager.page.route("**/api/pictures/rejected/*", lambda route: route.fulfill(json={"pictures": []}))
    manager.open("/manager.html")
    section = manager.page.get_by_role("region", name="Rejected pictures")
    expect(section).to_contain_text("97 per cent sure of Rude Gestures")
    section.get_by_role("button", name="Dismiss 1f0c.jpg").click()
    expect(section).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("note.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "JPEG, PNG or WebP"),
        ("fake.png", b"this is no picture at all", "not a JPEG, PNG or WebP"),
        ("huge.jpg", b"\xff\xd8\xff" + bytes(5_100_000), "at most 5 MB"),
    ],
)
def test_an_upload_that_is_no_picture_is_refused(
    manager: Shop, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    manager.open("/manager.html")
    form = manager.new_product("Whatever", price="1.00", description="Whatever", picture=file)
    expect(form.get_by_role("alert")).to_contain_text(said)


def test_todays_sales_count_what_was_sold(guest: Shop, manager: Shop) -> None:
    def sold() -> int:
        manager.open("/manager.html")
        tile = manager.page.locator(".tile").filter(has_text="Pieces")
        return int(tile.locator("dd").text_content() or "0") if tile.count() else 0

    before = sold()
    guest.open("/").add("Espresso").check_out("Sam")
    guest.ordered()
    assert sold() == before + 1
    expect(manager.page.get_by_role("region", name="What sells best")).to_contain_text("Espresso")


@pytest.mark.parametrize("page", ["/board.html", "/manager.html"])
def test_guests_are_shown_the_way_to_sign_in_instead(guest: Shop, page: str) -> None:
    guest.open(page)
    expect(guest.page.get_by_role("alert")).to_be_visible()
    expect(guest.page.get_by_role("main").get_by_role("link", name="Sign in")).to_have_attribute(
        "href", re.compile(r"account\.html\?next=" + page[1:])
    )
