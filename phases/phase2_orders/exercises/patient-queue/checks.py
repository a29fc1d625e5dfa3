"""A receipt is printed once, and one that cannot be printed is put aside."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Resource, Template

CHECKS = CheckList()
TIMES = 6
FUNCTION_SECONDS = 45
LONGEST_SECONDS = 600
TRIES = 5
FOURTEEN_DAYS = 14 * 24 * 60 * 60
AT_ONCE = 2
CONFIGURE = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
DEAD_LETTERS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"

_hidden = CHECKS.check(
    "hidden-long-enough",
    lesson="2.5",
    objective="sqs-visibility-timeout",
    proves="A receipt stays hidden while somebody works on it, and not much longer",
)
_aside = CHECKS.check(
    "put-aside",
    lesson="2.5",
    objective="sqs-dead-letters",
    proves="A receipt that failed five times waits 14 days for a person",
)
_alone = CHECKS.check(
    "fails-alone",
    lesson="2.5",
    objective="lambda-event-source",
    proves="A bad receipt does not send its neighbours round again",
)
_bounded = CHECKS.check(
    "two-at-once",
    lesson="2.5",
    objective="lambda-event-source",
    proves="Two functions print at once, and who waits is not counted as tried",
)


def _only(template: Template, type_: str, of: str, what: str) -> Resource:
    found = template.resources(type_, of=of)
    expect(
        found,
        f"there is no {what} in the stack",
        where="the second argument of what your file makes",
        next_step="keep the ids of the start: the queue Receipts, the function Printer and its event source",
    )
    return found[0]


def _queue(template: Template) -> Resource:
    return _only(template, "AWS::SQS::Queue", "Receipts", "queue with the id Receipts")


def _function(template: Template) -> dict[str, Any]:
    return _only(template, "AWS::Lambda::Function", "Printer", "function with the id Printer").properties


def _source(template: Template) -> dict[str, Any]:
    """What feeds the function from the queue."""
    queue = _queue(template).logical_id
    found = [
        source.properties
        for source in template.resources("AWS::Lambda::EventSourceMapping")
        if template.mentions(queue, source.properties.get("EventSourceArn"))
    ]
    expect(
        len(found) == 1,
        f"{len(found)} event sources take receipts from the queue, and one is wanted",
        where="add_event_source in your file",
        next_step="feed the function from self.receipts, once",
    )
    return found[0]


@_hidden.on_template
def _(template: Template) -> str:
    hidden = _queue(template).properties.get("VisibilityTimeout", 30)
    timeout = _function(template).get("Timeout", 3)
    window = _source(template).get("MaximumBatchingWindowInSeconds", 0)
    least = TIMES * timeout + window
    if timeout != FUNCTION_SECONDS:
        what = f"the function has {timeout} seconds, and the printer needs its {FUNCTION_SECONDS}"
    elif hidden < timeout:
        what = f"a receipt is visible again after {hidden} s, while the function may still print it for {timeout} s"
    elif hidden == timeout:
        what = (
            f"a receipt is hidden exactly as long as the function may run, {timeout} s; but Lambda fetches it before a "
            "function is free, so it can be visible again before the work is over"
        )
    elif hidden < least:
        and_window = f", and {window} s of the batching window" if window else ""
        what = f"a receipt is hidden for {hidden} s, and {least} are wanted: {TIMES} times {timeout} s{and_window}"
    else:
        what = f"a receipt is hidden for {hidden} s; so long it waits as well when its function was killed"
    expect(
        timeout == FUNCTION_SECONDS and least <= hidden <= LONGEST_SECONDS,
        what,
        where=CONFIGURE,
        next_step=f"six times the function's timeout, and {LONGEST_SECONDS} s at most",
    )
    return f"hidden for {hidden} s, and the function takes {timeout} s at most"


@_aside.on_template
def _(template: Template) -> str:
    queue = _queue(template)
    redrive = queue.properties.get("RedrivePolicy", {})
    others = [other for other in template.resources("AWS::SQS::Queue") if other.logical_id != queue.logical_id]
    target = next((one for one in others if template.mentions(one.logical_id, redrive)), None)
    tries = redrive.get("maxReceiveCount")
    keeps = int(target.properties.get("MessageRetentionPeriod", 4 * 24 * 60 * 60)) if target else 0
    if target is None and "DeadLetterConfig" in _function(template):
        what = (
            "the dead-letter queue is the function's, which is for asynchronous calls; an event source calls "
            "synchronously, so it would stay empty while receipts go round in the queue"
        )
    elif target is None:
        what = "a receipt that cannot be printed has no other queue to go to, so it is tried until it is too old"
    elif tries is None or int(tries) != TRIES:
        what = f"a receipt is put aside after {tries} tries, and after {TRIES} is wanted"
    else:
        what = (
            f"{target.logical_id} keeps messages for {keeps / 86400:g} days, and that counts from the day on which it "
            "was first sent, not from the day on which it was put aside"
        )
    expect(
        target is not None and int(tries) == TRIES and keeps == FOURTEEN_DAYS,
        what,
        where=DEAD_LETTERS,
        next_step="give the queue a dead_letter_queue with max_receive_count 5, which keeps messages for 14 days",
    )
    return f"after {TRIES} tries, for 14 days"


@_alone.on_template
def _(template: Template) -> str:
    source = _source(template)
    size = source.get("BatchSize", 10)
    expect(
        size == 1 or "ReportBatchItemFailures" in source.get("FunctionResponseTypes", []),
        f"the function says which of {size} receipts failed, and the event source is not told to read it: the answer "
        "counts as success, and what failed is deleted; and with an error the whole batch comes back",
        where=CONFIGURE,
        next_step="tell the event source that the function reports failures of single messages",
    )
    return "batch size 1" if size == 1 else "the failures are reported one by one"


@_bounded.on_template
def _(template: Template) -> str:
    at_most = _source(template).get("ScalingConfig", {}).get("MaximumConcurrency")
    reserved = _function(template).get("ReservedConcurrentExecutions")
    if reserved is not None and reserved < (at_most or AT_ONCE + 1):
        what = (
            f"the function is limited to {reserved} at once, and the event source does not know it: it fetches "
            "receipts, is refused, and every such round counts as tried"
        )
    elif at_most is None:
        what = "nothing bounds how many functions print at once, and there are two printers"
    else:
        what = f"up to {at_most} functions print at once, and there are two printers"
    expect(
        at_most == AT_ONCE and (reserved is None or reserved >= AT_ONCE),
        what,
        where="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
        next_step="bound the event source, not the function: its maximum concurrency",
    )
    return "two, bounded where messages are fetched"
