"""However many ask, the database is asked once; and nobody waits for what does not come."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template
from brewhaven.exercises.workshop import Work

CHECKS = CheckList()
MENU = "espresso 2.20"
SHORTEST, LONGEST = 48, 72
LEAST_SPREAD = 6
LEASE_AT_MOST = 10
SOON_SECONDS = 0.6
WHERE = "MenuCache in menu_cache.py"
READ = "storefront/shop/adapters/cache_aside.py"
SET = "https://valkey.io/commands/set/"

_keeps = CHECKS.check(
    "keeps-a-copy",
    lesson="2.4",
    objective="elasticache-caching",
    proves="The menu is kept for a minute, give or take, and not for the same time each time",
)
_once = CHECKS.check(
    "loads-once",
    lesson="2.4",
    objective="elasticache-caching",
    proves="However many threads of however many processes ask, the database is asked once",
)
_stuck = CHECKS.check(
    "never-stuck",
    lesson="2.4",
    objective="elasticache-caching",
    proves="Who waits for somebody that is gone waits for a second, and nothing stays for ever",
)
_errors = CHECKS.check(
    "errors-pass",
    lesson="2.4",
    objective="elasticache-caching",
    proves="A failure reaches who asked, is not kept, and holds nobody up",
)
_without = CHECKS.check(
    "works-without-cache",
    lesson="2.4",
    objective="elasticache-caching",
    proves="A cache that is away makes the shop slower and never makes it fail",
)


def _probed(template: Template) -> dict[str, Any]:
    assert isinstance(template, Work)
    return template.probed


def _told(came: dict[str, Any]) -> str:
    """What came of a question, in words."""
    if "error" in came:
        return f"it raises {came['error']}"
    return f"it answered with {came['answer']!r}" if "answer" in came else "it is still waiting"


@_keeps.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    usual = probed["usual"]
    bad = [came for came in usual["answers"] if came.get("answer") != MENU]
    expect(
        not bad,
        f"menu() should answer with what load() answers: {_told(bad[0]) if bad else ''}",
        where=WHERE,
        next_step="return the copy, or what was loaded",
    )
    expect(
        usual["asked"] == 1,
        f"three ask one after the other, and the database is asked {usual['asked']} times",
        where=WHERE,
        next_step="look into the store first, and keep there what was loaded",
    )
    kept = probed["lifetimes"]
    expect(
        kept and None not in kept,
        "the menu is kept for ever, also when it has changed",
        where=SET,
        next_step="say for how many seconds",
    )
    expect(
        min(kept) >= SHORTEST and max(kept) <= LONGEST,
        f"the menu is kept for {min(kept):.0f} to {max(kept):.0f} seconds, and {SHORTEST} to {LONGEST} are wanted",
        where=WHERE,
        next_step="60 seconds, give or take 12",
    )
    expect(
        max(kept) - min(kept) >= LEAST_SPREAD,
        f"each copy is kept for about {min(kept):g} seconds: what was kept together runs out in the same second",
        where=WHERE,
        next_step="add some seconds by chance, or take some away",
    )
    return f"{min(kept):.0f} to {max(kept):.0f} seconds"


@_once.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    crowd, late = probed["crowd"], probed["late"]
    bad = [came for came in crowd["answers"] if came.get("answer") != MENU]
    expect(
        not bad,
        f"20 threads of 4 processes ask, and one of them does not get the menu: {_told(bad[0]) if bad else ''}",
        where=WHERE,
        next_step="who does not load waits for the copy",
    )
    lock = ", once in each: a lock of Python's ends at the process" if crowd["asked"] == 4 else ""
    expect(
        crowd["asked"] == 1,
        f"20 threads of 4 processes ask at the same moment, and the database is asked {crowd['asked']} times{lock}",
        where=READ,
        next_step="let one of all take a lease in the store, in one step, with if_absent",
    )
    expect(
        late.get("answer") == MENU and late["asked"] == 1,
        "who had missed the copy just before it came asks the database again, although the copy is there now"
        if late.get("answer") == MENU
        else f"who had missed the copy just before it came does not get the menu: {_told(late)}",
        where=READ,
        next_step="look for the copy once more when you have the lease",
    )
    return "20 ask, one loads"


@_stuck.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    gone = probed["gone"]
    written = [*probed["usual"]["written"], *gone["written"]]
    leases = {key: seconds for key, value, seconds, if_absent in written if if_absent or MENU not in value}
    for key, seconds in leases.items():
        expect(
            seconds is not None and seconds <= LEASE_AT_MOST,
            f"{key!r} in the store "
            + ("has no end" if seconds is None else f"stays for {seconds:g} s")
            + ": when whoever wrote it is gone, everybody waits for nothing until then",
            where=SET,
            next_step=f"give it {LEASE_AT_MOST} seconds or less",
        )
    expect(
        gone.get("answer") == MENU,
        f"a process that began to load is gone, and who asks next does not get the menu in time: {_told(gone)}",
        where=WHERE,
        next_step="wait for a second at most, and then load yourself",
    )
    return f"after {gone['seconds']:g} s of waiting for one that is gone"


@_errors.on_template
def _(template: Template) -> str:
    failure = _probed(template)["failure"]
    first, following = failure["first"], failure["next"]
    expect(
        "LookupError" in first.get("error", ""),
        f"the database fails with a LookupError, and who asked does not hear of it: {_told(first)}",
        where=WHERE,
        next_step="let the error pass",
    )
    expect(
        following.get("answer") == MENU,
        f"the database is well again, and who asks next does not get the menu: {_told(following)}",
        where=WHERE,
        next_step="keep nothing when load() has failed",
    )
    expect(
        following["seconds"] <= SOON_SECONDS,
        f"the next one waited {following['seconds']:g} s for somebody who had failed already",
        where=WHERE,
        next_step="give the lease back whatever happens: try and finally",
    )
    return "passed on, not kept, and the next one loads at once"


@_without.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    for name, words in {
        "away": "the cache is away",
        "read_only": "the cache answers and takes no writes, as in the middle of a failover",
        "lost": "the cache goes away while the menu is loaded",
    }.items():
        expect(
            probed[name].get("answer") == MENU,
            f"{words}, and the shop has no menu: {_told(probed[name])}",
            where=WHERE,
            next_step="catch ConnectionError around every call of the store, reads and writes",
        )
    return "away, read-only, and lost in between"
