"""The static pages keep the house rules: nothing inline, nothing from elsewhere, nothing missing."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[3] / "storefront" / "web"
PAGES = sorted(WEB.glob("*.html"))
SCRIPTS = sorted(WEB.glob("**/*.js"))
STYLES = sorted(WEB.glob("css/*.css"))


class _Tags(HTMLParser):
    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _target(page: Path, address: str) -> Path:
    return WEB / address.lstrip("/") if address.startswith("/") else page.parent / address


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_needs_no_inline_code_and_gives_pictures_their_size(page: Path) -> None:
    tags = _Tags(page).tags
    assert ("html", {"lang": "en"}) in tags
    assert sum(tag == "h1" for tag, _ in tags) == 1
    for tag, attributes in tags:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src")
        assert tag != "img" or {"width", "height", "alt"} <= attributes.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_refers_to_is_there(page: Path) -> None:
    for _, attributes in _Tags(page).tags:
        for address in (attributes.get("src"), attributes.get("href")):
            if address and not address.startswith("#"):
                assert "://" not in address
                assert _target(page, address.split("#")[0].split("?")[0]).is_file(), address


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_never_reads_text_as_html_and_imports_what_is_there(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    for imported in re.findall(r"""(?:from|import)\s*\(?\s*'(\./[^']+)'""", text):
        assert (script.parent / imported).is_file(), imported
    for name in re.findall(r"'([a-z]+\.html)", text):
        assert (WEB / name).is_file(), name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_what_people_have_written_is_isolated_where_it_is_shown(script: Path) -> None:
    """A child of an element is a name or a note only through `written`, which puts it into a <bdi>."""
    for line in script.read_text(encoding="utf-8").splitlines():
        children = re.findall(r"h\('[a-z0-9]+', \{[^{}]*\}, ([^()]*)", line)
        people_wrote = re.compile(r"\b(order|line|customer|product|each)\.(name|note|email)\b")
        assert not [child for child in children if people_wrote.search(child)]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_style_sheet_asks_nothing_of_other_hosts(style: Path) -> None:
    text = style.read_text(encoding="utf-8")
    assert "@import" not in text
    for address in re.findall(r"url\('?([^')]+)'?\)", text):
        assert (style.parent / address).is_file(), address


def test_both_themes_name_the_same_colours() -> None:
    text = (WEB / "css" / "base.css").read_text(encoding="utf-8")
    by_preference = re.search(r":root:not\(\[data-theme='light'\]\) \{(.*?)\}", text, re.DOTALL)
    by_choice = re.search(r":root\[data-theme='dark'\] \{(.*?)\}", text, re.DOTALL)
    assert by_preference
    assert by_choice
    assert by_preference[1].split() == by_choice[1].split()
