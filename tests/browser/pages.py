"""The shop's pages as people use them: by what is written on buttons and fields, not by how the page is built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in."""

    email: str
    password: str


class Shop:
    """One person's browser tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    # -- everywhere --------------------------------------------------------------------------------------------------

    def open(self, path: str) -> Shop:
        self.page.goto(path)
        return self.settled()

    def settled(self) -> Shop:
        """The page has drawn what it asked the shop for."""
        self.page.wait_for_selector("html[data-ready]")
        return self

    @property
    def cart_button(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile(r"^Cart, "))

    def signed_in(self, account: Account) -> Shop:
        self.open("/account.html")
        form = self.page.get_by_role("region", name="Sign in")
        form.get_by_label("E-mail").fill(account.email)
        form.get_by_label("Password").fill(account.password)
        form.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "account.html" not in url)
        return self.settled()

    def signed_up(self, name: str, account: Account) -> Shop:
        self.open("/account.html")
        form = self.page.get_by_role("region", name="New here?")
        form.get_by_label("Your name").fill(name)
        form.get_by_label("E-mail").fill(account.email)
        form.get_by_label("Password").fill(account.password)
        form.get_by_role("button", name="Open an account").click()
        self.page.wait_for_url(lambda url: "account.html" not in url)
        return self.settled()

    # -- menu and cart -----------------------------------------------------------------------------------------------

    def item(self, name: str) -> Locator:
        """A product's place on the menu."""
        return self.page.get_by_role("listitem").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def picture_of(self, name: str) -> str:
        """The address of a product's picture, once it is drawn (the stand-in for a missing one has no such address)."""
        picture = self.item(name).get_by_role("img")
        picture.scroll_into_view_if_needed()
        drawn = "image => image.complete && image.naturalWidth > 0 && image.currentSrc"
        return str(self.page.wait_for_function(drawn, arg=picture.element_handle()).json_value())

    def look_at(self, name: str) -> Locator:
        """Open a product; answers its dialog."""
        self.page.get_by_role("link", name=name, exact=True).click()
        dialog = self.page.get_by_role("dialog", name=name)
        expect(dialog).to_be_visible()
        return dialog

    def add(self, name: str) -> Shop:
        """The quick way: the plus on the picture."""
        before = self.cart_button.get_attribute("aria-label")
        self.page.get_by_role("button", name=f"Add {name} to the cart").click()
        expect(self.cart_button).not_to_have_attribute("aria-label", before or "")
        return self

    def open_cart(self) -> Locator:
        self.cart_button.click()
        drawer = self.page.get_by_role("dialog", name="Your cart")
        expect(drawer).to_be_visible()
        return drawer

    # -- checkout and orders -----------------------------------------------------------------------------------------

    def check_out(self, name: str, card: str = "Visa ending 4242", note: str = "") -> Shop:
        """Fill in the checkout and press the button; what comes then is the test's business."""
        self.open("/checkout.html")
        self.page.get_by_label("Name we call out").fill(name)
        if note:
            self.page.get_by_label("A word to the bar").fill(note)
        self.page.get_by_label(card).check()
        self.page.get_by_role("button", name=re.compile("^Order and pay")).click()
        return self

    def ordered(self) -> str:
        """Wait for the order's page; answers the number that is called out."""
        self.page.wait_for_url(re.compile(r"/order\.html\?id="))
        self.settled()
        return (self.page.locator(".ticket-number").text_content() or "").strip()

    @property
    def step(self) -> Locator:
        """The step that the order is at."""
        return self.page.get_by_role("list", name="Steps").locator("[aria-current=step]")

    # -- behind the counter ------------------------------------------------------------------------------------------

    def slip(self, column: str, number: str) -> Locator:
        return self.page.get_by_role("region", name=re.compile(rf"^{column}")).locator(".slip").filter(has_text=number)

    def product_row(self, name: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=re.compile(name)))

    def set_stock(self, name: str, pieces: int) -> Shop:
        self.open("/manager.html")
        self.page.get_by_label(f"Stock of {name}", exact=True).fill(str(pieces))
        self.page.get_by_role("button", name=f"Save stock of {name}").click()
        expect(self.page.get_by_text(f"Stock of {name}: {pieces}.")).to_be_visible()
        return self

    def new_product(self, name: str, *, price: str, description: str, picture: Path | None = None) -> Locator:
        """Fill in a new product; answers the dialog, not sent yet."""
        self.page.get_by_role("button", name="Add a product").click()
        form = self.page.get_by_role("dialog", name="A new product")
        form.get_by_label("Name", exact=True).fill(name)
        form.get_by_label("Category").select_option("bakery")
        form.get_by_label("Description").fill(description)
        form.get_by_label("Size 1: Price in euros").fill(price)
        if picture:
            form.get_by_label("Choose a picture").set_input_files(picture)
        return form
