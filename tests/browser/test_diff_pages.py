"""The pages of `brewhaven diff` in a browser: read by everybody, worked by keys, on a projector and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from brewhaven.diff.compare import compare
from brewhaven.diff.render import page as whole
from brewhaven.diff.render import projector
from brewhaven.diff.sources.assembly import read_assembly
from brewhaven.diff.story import tell

SIZES = {"wide": (1280, 800), "phone": (360, 740)}


@pytest.fixture(scope="session")
def pages(assembly: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The comparison of two lessons as a page and as a presentation: their addresses."""
    paths = {"aws:cdk:enable-path-metadata": "true"}  # the CDK CLI sets it
    before = read_assembly(assembly(lesson="1.4", **paths), "lesson 1.4", lesson="1.4")
    after = read_assembly(assembly(lesson="1.6", **paths), "lesson 1.6", lesson="1.6")
    comparison = compare(before, after, Path(__file__).resolve().parents[2])
    story = tell(comparison)
    folder = tmp_path_factory.mktemp("diff")
    for name, words in (("page", whole.render(comparison, story)), ("present", projector.render(comparison, story))):
        (folder / f"{name}.html").write_text(words)
    return {name: (folder / f"{name}.html").as_uri() for name in ("page", "present")}


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, str]) -> Iterator[Callable[..., Page]]:
    """`open_page("page", "phone", "dark")`; the test fails if the page complains or asks for anything."""
    complaints: list[str] = []
    opened: list[Page] = []

    def open_(name: str, size: str = "wide", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=size == "phone",
            bypass_csp=False,
        )
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if asked.url.startswith("http") else None)
        page.goto(pages[name])
        opened.append(page)
        return page

    yield open_
    assert complaints == []
    for page in opened:
        page.context.close()


def _violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['html'][:160] for node in rule['nodes'][:3]]}" for rule in found]


@pytest.mark.parametrize("size", list(SIZES))
def test_nothing_keeps_anybody_out(browser: Browser, pages: dict[str, str], size: str, scheme: str) -> None:
    width, height = SIZES[size]
    for name, address in pages.items():
        # The checker is a script of its own, which the page's own policy would refuse
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            bypass_csp=True,
        )
        page = context.new_page()
        for place in ("", "#3", "#12") if name == "present" else ("",):
            page.goto("about:blank")
            page.goto(address + place)
            assert _violations(page) == [], f"{name}{place}"
        context.close()


@pytest.mark.parametrize("name", ["page", "present"])
@pytest.mark.parametrize("size", list(SIZES))
def test_nothing_is_wider_than_the_screen(open_page: Callable[..., Page], name: str, size: str) -> None:
    page = open_page(name, size)
    for _ in range(25 if name == "present" else 1):
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        page.keyboard.press("ArrowRight")


def test_keys_switch_the_diagram(open_page: Callable[..., Page]) -> None:
    page = open_page("page")
    added = page.locator("svg.wide .box.added").first
    expect(added).to_be_visible()
    page.keyboard.press("2")
    expect(added).to_be_hidden()
    expect(page.get_by_role("button", name="Before")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="After").click()
    expect(added).to_be_visible()


def test_a_phone_sees_the_tall_diagram(open_page: Callable[..., Page]) -> None:
    page = open_page("page", "phone")
    expect(page.locator("svg.tall")).to_be_visible()
    expect(page.locator("svg.wide")).to_be_hidden()


def test_one_key_press_is_one_change(open_page: Callable[..., Page]) -> None:
    page = open_page("present")
    expect(page.locator(".slide.now h1")).to_contain_text("lesson 1.4")
    total = page.locator(".slide").count()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#place")).to_have_text(f"2 / {total}")
    page.keyboard.press("Space")
    page.keyboard.press("PageDown")
    expect(page.locator("#place")).to_have_text(f"4 / {total}")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#place")).to_have_text(f"3 / {total}")
    page.keyboard.press("End")
    expect(page.get_by_role("button", name="Next change")).to_be_disabled()
    expect(page.locator(".slide.now")).to_have_count(1)


def test_a_place_in_the_presentation_survives_a_reload(open_page: Callable[..., Page]) -> None:
    page = open_page("present")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.reload()
    expect(page.locator("#place")).to_contain_text("6 / ")


def test_the_overview_leads_to_any_change(open_page: Callable[..., Page]) -> None:
    page = open_page("present")
    page.keyboard.press("o")
    links = page.locator("#overview a")
    expect(links).to_have_count(page.locator(".slide").count())
    links.nth(6).click()
    expect(page.locator("#overview")).to_be_hidden()
    expect(page.locator("#place")).to_contain_text("7 / ")


def test_a_change_of_the_course_shows_its_code_beside_it(open_page: Callable[..., Page]) -> None:
    page = open_page("present")
    page.keyboard.press("o")
    page.locator("#overview a", has_text="Storefront: load balancer").first.click()
    expect(page.locator(".slide.now .words")).to_contain_text("load balancer")
    expect(page.locator(".slide.now .code .here").first).to_be_visible()
