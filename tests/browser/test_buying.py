"""Stories of guests: finding something, buying it, paying, and coming back for more."""

import re
import uuid
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.pages import Account, Shop

Visitor = Callable[..., Shop]


def test_a_guest_buys_a_coffee_made_to_measure(guest: Shop) -> None:
    guest.open("/")
    dialog = guest.look_at("Flat White")
    dialog.get_by_label(re.compile("^Large")).check()
    dialog.get_by_label(re.compile("^Oat milk")).check()
    expect(dialog.get_by_text("Contains: Milk, Gluten.")).to_be_visible()
    dialog.get_by_role("button", name="One more: Flat White").click()
    dialog.get_by_label("A word to the barista").fill("Extra hot, please")
    dialog.get_by_role("button", name=re.compile(r"^Add to cart.*€11\.40")).click()
    expect(dialog).to_be_hidden()

    drawer = guest.open_cart()
    expect(drawer.get_by_text("Large · Oat milk")).to_be_visible()
    drawer.get_by_role("link", name="Go to checkout").click()
    guest.settled()
    guest.check_out("Mina", note="By the window")

    number = guest.ordered()
    assert re.fullmatch(r"[0-9A-Z]{4}", number)
    expect(guest.page.get_by_role("heading", name="For Mina")).to_be_visible()
    expect(guest.step).to_contain_text("Received")
    expect(guest.page.get_by_text("Paid with Visa ending 4242.")).to_be_visible()
    expect(guest.page.get_by_text("€11.40").first).to_be_visible()
    expect(guest.page.get_by_text("“Extra hot, please”")).to_be_visible()
    expect(guest.cart_button).to_have_attribute("aria-label", "Cart, 0 pieces")


def test_a_declined_card_charges_nothing_and_another_one_pays_the_same_order(guest: Shop) -> None:
    guest.open("/").add("Espresso").check_out("Jonas", card="A card that is declined")
    alert = guest.page.get_by_role("alert")
    expect(alert).to_contain_text("Nothing was charged")
    guest.page.get_by_label("Mastercard ending 4444").check()
    guest.page.get_by_role("button", name=re.compile("^Try this card")).click()
    guest.ordered()
    expect(guest.page.get_by_text("Paid with Mastercard ending 4444.")).to_be_visible()
    guest.open("/orders.html")
    expect(guest.page.locator(".past")).to_have_count(1)


def test_an_unpaid_order_can_be_paid_on_its_own_page_or_cancelled(guest: Shop) -> None:
    guest.open("/").add("Espresso").check_out("Nora", card="A card without enough money")
    guest.page.get_by_role("link", name="pay later on its own page").click()
    guest.settled()
    guest.page.get_by_role("button", name="Pay now").click()
    expect(guest.step).to_contain_text("Received")
    guest.page.get_by_role("button", name="Cancel this order").click()
    expect(guest.page.get_by_text("This order was cancelled. Nothing of it will be made.", exact=True)).to_be_visible()


def test_the_cart_survives_a_reload(guest: Shop) -> None:
    guest.open("/").add("Cappuccino").add("Espresso")
    guest.page.reload()
    guest.settled()
    expect(guest.cart_button).to_have_attribute("aria-label", "Cart, 2 pieces")
    drawer = guest.open_cart()
    drawer.get_by_role("button", name="One more: Espresso").click()
    expect(drawer.get_by_text("3 pieces")).to_be_visible()
    # Both at once, before the shop has answered the first: what a quick hand does.
    removes = drawer.get_by_role("button", name=re.compile("^Remove "))
    removes.evaluate_all("buttons => buttons.forEach(button => button.click())")
    expect(drawer.get_by_role("heading", name="Nothing in it yet")).to_be_visible()


def test_products_show_their_pictures(guest: Shop) -> None:
    guest.open("/")
    for name in ("Espresso", "Butter Croissant", "Night Watch Decaf"):
        assert "/media/" in guest.picture_of(name), name


def test_search_and_filters_find_what_fits(guest: Shop) -> None:
    guest.open("/")
    products = guest.page.locator(".item")
    everything = products.count()
    guest.page.get_by_label("Search the menu").fill("einspanner")
    expect(products).to_have_count(1)
    guest.page.get_by_label("Search the menu").fill("no such thing")
    expect(guest.page.get_by_role("heading", name="Nothing like that today")).to_be_visible()
    guest.page.get_by_role("button", name="Show everything").click()
    expect(products).to_have_count(everything)
    guest.page.locator(".filters summary").click()
    guest.page.get_by_label("Vegan only").check()
    guest.page.get_by_label("No gluten").check()
    guest.page.get_by_label("Price").select_option("300")
    expect(products).to_have_count(1)
    expect(guest.item("Espresso")).to_be_visible()


def test_a_product_has_an_address_of_its_own(guest: Shop) -> None:
    guest.open("/#product/lemon-tart")
    dialog = guest.page.get_by_role("dialog", name="Lemon Tart")
    expect(dialog).to_be_visible()
    guest.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    guest.look_at("Espresso")
    guest.page.go_back()
    expect(guest.page.get_by_role("dialog")).to_have_count(0)


def test_two_browsers_fight_for_the_last_croissant(visitor: Visitor, manager: Shop) -> None:
    manager.set_stock("Butter Croissant", 1)
    first, second = visitor(), visitor()
    for somebody in (first, second):
        somebody.open("/").add("Butter Croissant").open("/checkout.html")
    first.check_out("First")
    first.ordered()
    # The second one's page still believes in the croissant: it was drawn before.
    second.page.get_by_label("Name we call out").fill("Second")
    second.page.get_by_role("button", name=re.compile("^Order and pay")).click()
    expect(second.page.get_by_role("alert").first).to_contain_text("Butter Croissant")
    assert "order.html" not in second.page.url
    second.open("/")
    expect(second.item("Butter Croissant").get_by_text("Sold out")).to_be_visible()
    drawer = second.open_cart()
    expect(drawer.get_by_text("Butter Croissant is sold out.")).to_be_visible()
    expect(drawer.get_by_role("link", name="Go to checkout")).to_have_count(0)


def test_an_account_keeps_the_orders_and_orders_again(visitor: Visitor) -> None:
    account = Account(f"ada-{uuid.uuid4().hex[:8]}@example.org", "a long enough password")
    ada = visitor().signed_up("Ada", account)
    ada.add("Matcha Latte")
    ada.check_out("Ada")
    number = ada.ordered()
    ada.open("/account.html")
    ada.page.get_by_role("button", name="Sign out").click()
    ada.page.wait_for_url(re.compile("index.html"))

    elsewhere = visitor().signed_in(account)
    elsewhere.open("/orders.html")
    expect(elsewhere.page.get_by_role("link", name=f"Follow order {number}")).to_be_visible()
    elsewhere.page.get_by_role("button", name="Order Matcha Latte again").click()
    expect(elsewhere.page.get_by_role("dialog", name="Your cart").get_by_text("Matcha Latte")).to_be_visible()


def test_a_wrong_password_is_said_in_words_and_stays_on_the_page(guest: Shop) -> None:
    guest.open("/account.html")
    form = guest.page.get_by_role("region", name="Sign in")
    form.get_by_label("E-mail").fill("nobody@example.org")
    form.get_by_label("Password").fill("wrong but long enough")
    form.get_by_role("button", name="Sign in").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    expect(form.get_by_role("button", name="Sign in")).to_be_enabled()


def test_somebody_elses_order_is_not_shown(visitor: Visitor) -> None:
    owner = visitor()
    owner.open("/").add("Espresso").check_out("Owner")
    number = owner.ordered()
    stranger = visitor()
    stranger.open(owner.page.url)
    expect(stranger.page.get_by_role("alert")).to_be_visible()
    expect(stranger.page.get_by_text(number)).to_have_count(0)


def test_markup_emoji_and_hebrew_in_names_stay_text(guest: Shop) -> None:
    name = "<img src=x>☕ קפה"
    guest.open("/").add("Espresso").check_out(name, note="<script>alert(1)</script>")
    guest.ordered()
    expect(guest.page.get_by_role("heading", name=f"For {name}")).to_be_visible()
    expect(guest.page.get_by_text("“<script>alert(1)</script>”")).to_be_visible()
