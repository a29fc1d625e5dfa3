"""Each event has its effect once, whatever happens to the process; and a bad message fails alone."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template
from brewhaven.exercises.workshop import Work

CHECKS = CheckList()
READ = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"
WHERE = "handle in handler.py"
DUE = {"ada": 4, "bob": 3}

_counts = CHECKS.check(
    "counts-once",
    lesson="2.5",
    objective="lambda-event-source",
    proves="An event gives its points once, however often it comes and to however many at a time",
)
_alone = CHECKS.check(
    "fails-alone",
    lesson="2.5",
    objective="lambda-event-source",
    proves="A message that cannot be handled comes back, and it alone",
)
_again = CHECKS.check(
    "comes-again",
    lesson="2.5",
    objective="lambda-event-source",
    proves="What failed once counts when it succeeds later",
)
_killed = CHECKS.check(
    "survives-being-killed",
    lesson="2.5",
    objective="lambda-event-source",
    proves="A process may be killed at any moment, and nobody has too many points or too few",
)
_told = CHECKS.check(
    "is-told",
    lesson="2.5",
    objective="lambda-event-source",
    proves="The event source reads which messages failed",
)


def _probed(template: Template) -> dict[str, Any]:
    assert isinstance(template, Work)
    return template.probed


@_counts.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    for words, came in probed["repeats"].items():
        points = came["points"]
        few = points.get("ada", 0) < DUE["ada"]
        expect(
            points == DUE,
            f"an event of 4 points, {words}, gives {points.get('ada', 0)}"
            + (": were they committed?" if few else ": what was done must stand in the database, under the event's id"),
            where=WHERE,
            next_step="write the event's id into `seen`, in the same transaction as the points",
        )
        expect(
            not came["back"],
            f"an event, {words}, counts once and its copy fails: it comes back until it is put aside, and somebody "
            "looks for a fault that is none",
            where=WHERE,
            next_step="a copy of what was done is done as well: leave it out, and do not name it in the answer",
        )
    expect(
        probed["race"] == DUE["ada"],
        f"two processes that have the same event at the same moment give {probed['race']} points for 4: both looked, "
        "and neither saw the other",
        where=WHERE,
        next_step="do not look first: insert into `seen`, and let its primary key tell whether it was there",
    )
    return "in one batch, in two, in another message, and two at a time"


@_alone.on_template
def _(template: Template) -> str:
    came = _probed(template)["poison"]
    back, points = set(came["back"]), came["points"]
    bad, good = {"m-7", "m-8", "m-9"}, {"m-1", "m-2", "m-3"}
    poor = [customer for customer, due in {**DUE, "cy": 2}.items() if points.get(customer) != due]
    if came.get("raised"):
        what = f"one bad message ends the handler ({came['said']}), so the whole batch comes back"
    elif back >= bad | good:
        what = (
            f"the answer names {_names(came['said'])}, and Lambda knows messages by their messageId: an answer that "
            "it does not understand makes the whole batch come back"
        )
    elif bad - back:
        what = (
            f"{' and '.join(sorted(bad - back))} failed and is not in the answer ({came['said']}), so it counts as "
            "done and is deleted from the queue"
        )
    elif back & good:
        what = f"{' and '.join(sorted(back & good))} succeeded and comes back"
    else:
        what = f"{' and '.join(poor)} lose their points, because a neighbor failed, and the answer does not say so"
    expect(
        back == bad and not poor,
        what,
        where=READ,
        next_step="a try and an end of the transaction for each message; name the failed ones by their messageId",
    )
    return "three of six come back, the others count"


def _names(said: str) -> str:
    """The identifiers in the answer, as it was given."""
    return said.partition("[")[2].partition("]")[0].replace('"', "").replace("{itemIdentifier: ", "").replace("}", "")


@_again.on_template
def _(template: Template) -> str:
    came = _probed(template)["again"]
    points = came["points"]
    expect(
        points == DUE,
        f"a message failed because a row was locked, and when it came again it was taken for done: ada has "
        f"{points.get('ada', 0)} points of 4"
        if points.get("bob") == DUE["bob"]
        else f"a message of ada failed because a row was locked, and then bob has {points.get('bob', 0)} points of 3",
        where=WHERE,
        next_step="take back what a failed try has written, the mark in `seen` as well",
    )
    return "a failed try leaves no mark"


@_killed.on_template
def _(template: Template) -> str:
    runs = _probed(template)["killed"]
    expect(
        runs,
        "the handler does nothing with the database",
        where=WHERE,
        next_step="write the points with the connection that it is given",
    )
    many = [points for points in runs if any(points.get(customer, 0) > due for customer, due in DUE.items())]
    few = [points for points in runs if any(points.get(customer, 0) < due for customer, due in DUE.items())]
    expect(
        not many,
        f"a process that is killed after it wrote the points gets the batch again, and the customer gets the points "
        f"again: {many[0] if many else ''}, and {DUE} is due",
        where=WHERE,
        next_step="points and mark in one transaction: both are there or neither",
    )
    expect(
        not few,
        f"a process that is killed after the mark leaves an event that counts as done, and its customer never gets the "
        f"points: {few[0] if few else ''}, and {DUE} is due",
        where=WHERE,
        next_step="points and mark in one transaction: both are there or neither",
    )
    return f"killed before each of {len(runs)} statements"


@_told.on_template
def _(template: Template) -> str:
    sources = [source.properties for source in template.resources("AWS::Lambda::EventSourceMapping")]
    expect(
        sources and all("ReportBatchItemFailures" in source.get("FunctionResponseTypes", []) for source in sources),
        "the event source is not told that the answer names what failed: it deletes the whole batch, the failed "
        "messages too",
        where="SqsEventSource in exercise.py",
        next_step="report_batch_item_failures=True",
    )
    return "ReportBatchItemFailures"
