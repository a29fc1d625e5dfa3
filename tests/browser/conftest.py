"""The shop in a real browser: which shop, which Chromium, and who works there.

The shop is the one of `SHOP_URL` (its staff in `SHOP_STAFF`, JSON of role to [e-mail, password]); without it the one
that the session deploys to a local cloud of its own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, StorageState

from tests.browser.pages import Account, Shop

HERE = Path(__file__).parent
CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        if (path := os.environ.get("CHROMIUM") or shutil.which(name))
    ),
    None,
)
WITHOUT = "Chromium is not on this machine (install the package `chromium`, or set CHROMIUM to its path)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the stories and put them last: Playwright keeps an event loop running, which other tests would trip over."""
    stories = [item for item in items if HERE in item.path.parents]
    for item in stories:
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason=WITHOUT))
    items[:] = [item for item in items if item not in stories] + stories


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if CHROMIUM is None:
        terminalreporter.write_line(f"NOT TESTED: every story in the browser. {WITHOUT}.", red=True, bold=True)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses root, as in a container
    return {"executable_path": CHROMIUM, "args": [*quiet, *(["--no-sandbox"] if root else [])]}


@pytest.fixture(scope="session")
def shop_url(request: pytest.FixtureRequest) -> str:
    return (os.environ.get("SHOP_URL") or request.getfixturevalue("shop").url).rstrip("/")


@pytest.fixture(scope="session")
def staff(request: pytest.FixtureRequest) -> dict[str, Account]:
    """The accounts of `barista` and `manager`."""
    if not os.environ.get("SHOP_URL"):
        accounts = request.getfixturevalue("shop").staff
    elif "SHOP_STAFF" in os.environ:
        accounts = json.loads(os.environ["SHOP_STAFF"])
    else:
        pytest.skip('no staff accounts: set SHOP_STAFF=\'{"barista": ["e-mail", "password"], "manager": [...]}\'')
    return {role: Account(*account) for role, account in accounts.items()}


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about in any page of this test: errors, blocked content, exceptions."""
    return []


@pytest.fixture
def visitor(browser: Browser, shop_url: str, complaints: list[str]) -> Iterator[Callable[..., Shop]]:
    """`visitor(width=360, dark=True)`: somebody new with a browser of their own.  Fails the test on any complaint."""
    contexts: list[BrowserContext] = []

    def heard(message: ConsoleMessage) -> None:
        # A refused request is an answer that the stories look at; everything else is a fault of the page.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def visit(
        *, width: int = 1280, height: int = 900, dark: bool = False, signed_in: StorageState | None = None
    ) -> Shop:
        context = browser.new_context(
            base_url=shop_url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            storage_state=signed_in,
        )
        context.set_default_timeout(15_000)
        context.on("console", heard)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return Shop(context.new_page())

    yield visit
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def guest(visitor: Callable[..., Shop]) -> Shop:
    return visitor()


@pytest.fixture(scope="session")
def signed_in(browser: Browser, shop_url: str, staff: dict[str, Account]) -> dict[str, StorageState]:
    """The cookies of `barista` and `manager`: they sign in once, since passwords are slow to check on purpose."""
    states = {}
    for role in ("barista", "manager"):
        context = browser.new_context(base_url=shop_url)
        Shop(context.new_page()).signed_in(staff[role])
        states[role] = context.storage_state()
        context.close()
    return states


@pytest.fixture
def manager(visitor: Callable[..., Shop], signed_in: dict[str, StorageState]) -> Shop:
    return visitor(signed_in=signed_in["manager"])


@pytest.fixture
def barista(visitor: Callable[..., Shop], signed_in: dict[str, StorageState]) -> Shop:
    return visitor(signed_in=signed_in["barista"])
