"""What can go wrong in the shop, in words a person understands.

Every error carries `detail`, a sentence for the person in front of the screen: what happened and what to do next.
The routes decide which HTTP status each kind becomes; the domain does not know HTTP.
"""

from collections.abc import Mapping, Sequence


class ShopError(Exception):
    """Base of everything the shop refuses on purpose."""

    title = "The shop could not do that"

    def __init__(self, detail: str, *, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = dict(facts or {})


class Invalid(ShopError):
    """What was sent breaks a rule; `problems` lists every broken rule at once, as (field, sentence)."""

    title = "Please check what you entered"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(" ".join(sentence for _, sentence in problems))
        self.problems = list(problems)


class NotFound(ShopError):
    """There is no such thing, or it belongs to somebody else, which is answered alike."""

    title = "Not found"


class Conflict(ShopError):
    """The thing has changed, or is in a state in which this cannot be done."""

    title = "That no longer fits"


class OutOfStock(Conflict):
    """At least one counted product has fewer pieces left than were asked for."""

    title = "Sold out"


class KeyReused(ShopError):
    """An idempotency key came again with another body."""

    title = "Idempotency key used twice"


class PaymentDeclined(ShopError):
    """The (simulated) card was declined.  The order stays open and may be paid with another card."""

    title = "Payment declined"


class SignInNeeded(ShopError):
    """Nobody is signed in, and this needs somebody."""

    title = "Please sign in"


class Forbidden(ShopError):
    """Somebody is signed in, but their role does not allow this."""

    title = "Not allowed"


class TooMany(ShopError):
    """Too many attempts; `retry_after` is in seconds."""

    title = "Too many attempts"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(ShopError):
    """Something the shop depends on does not answer right now."""

    title = "The shop is catching its breath"
