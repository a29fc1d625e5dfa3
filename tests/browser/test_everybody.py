"""The shop is for everybody: by keyboard, by ear, on a small screen, in the dark and on a slow line."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Response, Route, StorageState, expect

from tests.browser.pages import Shop

Visitor = Callable[..., Shop]
GUEST_PAGES = [
    "/",
    "/#product/caffe-latte",
    "/checkout.html",
    "/orders.html",
    "/account.html",
    "/order.html?id=none",
    "/no-such-page",
]
STAFF_PAGES = ["/board.html", "/manager.html"]
FIRST_VIEW_BYTES = 150_000


def _serious(shop: Shop) -> list[str]:
    report = Axe().run(shop.page, options={"resultTypes": ["violations"]}).response
    assert len(report["passes"]) > 10, "axe looked at nothing"
    found = report["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {[node['html'][:140] for node in rule['nodes'][:4]]}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
    ]


def _open(shop: Shop, path: str) -> Shop:
    if path == "/no-such-page":
        shop.page.goto(path)
        return shop
    return shop.open(path)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_for_guests(visitor: Visitor, dark: bool) -> None:
    guest = visitor(dark=dark)
    guest.open("/").add("Caffè Latte")
    for path in GUEST_PAGES:
        _open(guest, path)
        assert _serious(guest) == [], path
    guest.open("/").open_cart()
    assert _serious(guest) == [], "cart"
    guest.check_out("Axel", card="A card that is declined")
    expect(guest.page.get_by_role("alert")).to_be_visible()
    assert _serious(guest) == [], "declined"
    guest.page.get_by_role("link", name="pay later on its own page").click()
    guest.settled()
    assert _serious(guest) == [], "order"
    guest.open("/orders.html")
    assert _serious(guest) == [], "orders"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_behind_the_counter(
    visitor: Visitor, signed_in: dict[str, StorageState], dark: bool
) -> None:
    guest = visitor()
    guest.open("/").add("Espresso").check_out("Axel", note="Anything")
    guest.ordered()
    manager = visitor(dark=dark, signed_in=signed_in["manager"])
    for path in STAFF_PAGES:
        manager.open(path)
        assert _serious(manager) == [], path
    manager.page.get_by_role("button", name="Edit Espresso", exact=True).click()
    assert _serious(manager) == [], "editor"


def test_nothing_scrolls_sideways_on_a_small_screen(visitor: Visitor) -> None:
    guest = visitor(width=360, height=740)
    guest.open("/").add("Caffè Latte")
    for path in GUEST_PAGES:
        assert _open(guest, path).page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_nothing_scrolls_sideways_behind_the_counter(visitor: Visitor, signed_in: dict[str, StorageState]) -> None:
    manager = visitor(width=360, height=740, signed_in=signed_in["manager"])
    for path in STAFF_PAGES:
        manager.open(path)
        assert manager.page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_a_day_that_sold_around_the_clock_fits_a_small_screen(
    visitor: Visitor, signed_in: dict[str, StorageState]
) -> None:
    manager = visitor(width=360, height=740, signed_in=signed_in["manager"])

    def all_day(route: Route) -> None:
        answer = route.fetch()
        hours = [{"hour": hour, "orders": 1, "revenue_cents": 100 * hour} for hour in range(24)]
        some = {"orders": 24, "items": 24, "revenue_cents": 27_600, "by_hour": hours}
        route.fulfill(response=answer, json=answer.json() | some)

    manager.page.route("**/api/sales/today", all_day)
    manager.open("/manager.html")
    expect(manager.page.locator(".bars li")).to_have_count(24)
    assert manager.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_purchase_with_the_keyboard_alone(guest: Shop) -> None:
    guest.open("/")
    keys = guest.page.keyboard
    focused = guest.page.locator(":focus")

    def walk_to(name: str, most: int = 60) -> None:
        for _ in range(most):
            keys.press("Tab")
            label = focused.evaluate("e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent || ''")
            if re.search(name, label):
                return
        pytest.fail(f"Tab never reached {name!r}")

    keys.press("Tab")
    expect(focused).to_have_text("Skip to the menu")
    keys.press("Enter")
    walk_to("^Espresso$")
    outline = focused.evaluate("e => getComputedStyle(e, '::after').outlineStyle + getComputedStyle(e).outlineStyle")
    assert "solid" in outline
    keys.press("Enter")
    expect(guest.page.get_by_role("dialog", name="Espresso")).to_be_visible()
    walk_to("^Single")
    keys.press("ArrowDown")
    walk_to("^Add to cart")
    keys.press("Enter")
    expect(guest.page.get_by_role("dialog")).to_have_count(0)
    # The dialog gives focus back to where it came from.
    expect(focused).to_have_text("Espresso")
    for _ in range(30):
        keys.press("Shift+Tab")
        if re.match("Cart", focused.get_attribute("aria-label") or ""):
            break
    keys.press("Enter")
    expect(guest.page.get_by_role("dialog", name="Your cart").get_by_text("Double")).to_be_visible()
    walk_to("^Go to checkout")
    keys.press("Enter")
    guest.page.wait_for_url(re.compile("checkout"))
    guest.settled()
    walk_to("Name we call out")
    keys.type("Kim")
    walk_to("^Visa")
    keys.press("ArrowDown")
    walk_to("^Order and pay")
    keys.press("Enter")
    guest.ordered()
    expect(guest.page.get_by_text("Paid with Mastercard ending 4444.")).to_be_visible()


def test_the_first_view_is_small_and_does_not_jump(visitor: Visitor) -> None:
    guest = visitor()
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        kind = response.request.resource_type
        if kind != "image" or response.url.endswith(".svg"):
            sizes[response.url] = response.request.sizes()["responseBodySize"]

    guest.page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput)"
        " window.shift += e.value }).observe({type: 'layout-shift', buffered: true})"
    )
    guest.page.on("requestfinished", lambda request: weigh(answer) if (answer := request.response()) else None)
    guest.open("/")
    guest.page.wait_for_load_state("networkidle")
    assert sum(sizes.values()) < FIRST_VIEW_BYTES, sizes
    assert guest.page.evaluate("window.shift") < 0.02


def test_nothing_is_asked_of_other_hosts_and_nothing_is_inline(guest: Shop, shop_url: str) -> None:
    asked: set[str] = set()
    guest.page.on("request", lambda request: asked.add(request.url))
    answer = guest.page.goto("/")
    guest.settled()
    assert answer
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    media = set(re.findall(r"https?://[^ ;]+", policy))
    strangers = [url for url in asked if not url.startswith((shop_url, *media, "data:"))]
    assert strangers == []
    assert guest.page.locator("[style], style, script:not([src])").count() == 0


def test_a_chosen_theme_is_kept(guest: Shop) -> None:
    guest.open("/")
    guest.page.get_by_role("button", name="Use dark colours").click()
    guest.page.reload()
    guest.settled()
    expect(guest.page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(guest.page.get_by_role("button", name="Use light colours")).to_be_visible()


def test_a_shop_that_is_away_is_said_in_words(guest: Shop) -> None:
    guest.page.route("**/api/menu", lambda route: route.abort())
    guest.open("/")
    expect(guest.page.get_by_role("alert")).to_contain_text("We cannot reach the shop just now")
    guest.page.unroute("**/api/menu")
    guest.page.get_by_role("button", name="Try again").click()
    expect(guest.item("Espresso")).to_be_visible()


def test_pages_go_where_the_configuration_says_and_sign_in_its_way(guest: Shop) -> None:
    def other_way(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"api_base": "/stage/api", "sign_in": {"mode": "bearer"}})

    guest.page.route("**/api/config", other_way)
    guest.page.add_init_script("sessionStorage.setItem('brew-haven.token', 'a.b.c')")
    with guest.page.expect_request("**/stage/api/menu") as asked:
        guest.open("/")
    assert asked.value.headers["authorization"] == "Bearer a.b.c"
    assert "x-csrf-token" not in asked.value.headers
