"""The simulated payment.  No card number ever reaches the shop: the page sends a token, as real providers have it."""

from dataclasses import dataclass

from shop.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class TestCard:
    """A token with a known outcome, offered by the checkout page instead of a card form."""

    __test__ = False  # keeps pytest from collecting it

    token: str
    label: str
    approved: bool
    message: str


TEST_CARDS = (
    TestCard("tok_visa", "Visa ending 4242", True, "Paid with Visa ending 4242."),
    TestCard("tok_mastercard", "Mastercard ending 4444", True, "Paid with Mastercard ending 4444."),
    TestCard(
        "tok_declined",
        "A card that is declined",
        False,
        "The card was declined. Nothing was charged; please try another card.",
    ),
    TestCard(
        "tok_insufficient_funds",
        "A card without enough money",
        False,
        "The card has not enough money on it. Nothing was charged; please try another card.",
    ),
)
_BY_TOKEN = {card.token: card for card in TEST_CARDS}


def charge(token: str) -> TestCard:
    """What the provider answers for this token.  Raises `Invalid` for a token that it never gave out."""
    card = _BY_TOKEN.get(token)
    if card is None:
        raise Invalid([("token", f"{token[:40]!r} is not a payment token; use one of {', '.join(_BY_TOKEN)}.")])
    return card
