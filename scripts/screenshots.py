"""Take the README's pictures of a running shop: `.venv/bin/python scripts/screenshots.py http://127.0.0.1:8080`.

With `--manager EMAIL` (the password comes from the environment variable SHOP_PASSWORD) the pages behind the counter are
taken too.  A few orders are placed on the way, so use a shop of your own.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
LIMIT_BYTES = 200_000
TO_WEBP = """async ([png, quality]) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + png;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), {width: image.width, height: image.height});
  canvas.getContext('2d', {alpha: false}).drawImage(image, 0, 0);
  return canvas.toDataURL('image/webp', quality).split(',')[1];
}"""


class Photographer:
    """Takes pictures with one browser and stores them small."""

    def __init__(self, browser: Browser, shop: str) -> None:
        self._browser = browser
        self._shop = shop
        self._darkroom = browser.new_page()

    def visit(self, path: str, *, width: int = 1280, height: int = 860, dark: bool = False) -> Page:
        page = self._browser.new_context(
            base_url=self._shop,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        ).new_page()
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        page.goto(path)
        page.wait_for_selector("html[data-ready]")
        if "board" not in path and "order.html" not in path:  # those wait for news all the time
            page.wait_for_load_state("networkidle")

    def take(self, page: Page, name: str) -> None:
        page.wait_for_timeout(600)
        png = base64.b64encode(page.screenshot()).decode()
        quality = 0.9
        while True:
            data = base64.b64decode(self._darkroom.evaluate(TO_WEBP, [png, quality]))
            if len(data) < LIMIT_BYTES:
                break
            quality -= 0.1
        (IMAGES / f"{name}.webp").write_bytes(data)
        print(f"{name:24} {len(data):7} bytes")


def guests(photographer: Photographer) -> None:
    for name, width, height, dark, section in (
        ("menu-desktop", 1280, 860, False, None),
        ("menu-coffee", 1280, 860, False, "coffee"),
        ("menu-bakery-dark", 1280, 860, True, "bakery"),
        ("menu-tablet", 768, 1024, False, None),
        ("menu-phone", 360, 740, False, None),
        ("menu-phone-dark", 360, 740, True, "coffee"),
    ):
        page = photographer.visit("/", width=width, height=height, dark=dark)
        if section:
            page.evaluate("id => document.getElementById(id).scrollIntoView()", section)
        photographer.take(page, name)
        page.context.close()
    page = photographer.visit("/#product/caffe-latte")
    photographer.take(page, "product")
    page.keyboard.press("Escape")
    for product in ("Flat White", "Cinnamon Swirl"):
        page.get_by_role("button", name=f"Add {product} to the cart").click()
        page.wait_for_timeout(800)
    page.get_by_role("button", name="Cart, ").click()
    page.wait_for_timeout(5000)  # until the messages at the lower edge are gone
    photographer.take(page, "cart")
    photographer.go(page, "/checkout.html")
    page.get_by_label("Name we call out").fill("Mina")
    photographer.take(page, "checkout")
    page.get_by_role("button", name="Order and pay").click()
    page.wait_for_url("**/order.html?id=*")
    page.get_by_role("list", name="Steps").wait_for()
    photographer.take(page, "order")
    page.context.close()


def counter(photographer: Photographer, email: str, password: str) -> None:
    page = photographer.visit("/account.html")
    form = page.get_by_role("region", name="Sign in")
    form.get_by_label("E-mail").fill(email)
    form.get_by_label("Password").fill(password)
    form.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/manager.html")
    photographer.go(page, "/manager.html")
    photographer.take(page, "manager")
    page.get_by_role("button", name="Edit Butter Croissant").click()
    photographer.take(page, "manager-edit")
    photographer.go(page, "/board.html")
    photographer.take(page, "board")
    page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the README's pictures of a running shop.")
    parser.add_argument("shop", help="its address")
    parser.add_argument("--manager", metavar="EMAIL", help="take the pages behind the counter too")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("Chromium is needed to take pictures: install the package `chromium`.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photographer = Photographer(browser, arguments.shop)
        guests(photographer)
        if arguments.manager:
            counter(photographer, arguments.manager, os.environ["SHOP_PASSWORD"])
        browser.close()


if __name__ == "__main__":
    main()
