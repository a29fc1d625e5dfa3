"""ShopTask checks its props as the constructs of the course do."""

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template
from brewhaven.exercises.workshop import Work

CHECKS = CheckList()
WHERE = "the constructor of ShopTask in your file"
READ = "stacks/settings.py, class SettingsError"

_takes = CHECKS.check(
    "takes-good-props", lesson="1.6", objective="fargate-hosting", proves="Good props are taken, with the defaults"
)
_refuses = CHECKS.check(
    "refuses", lesson="1.6", objective="fargate-hosting", proves="Each bad prop is refused with a ValueError"
)
_value = CHECKS.check(
    "names-the-value",
    lesson="1.6",
    objective="fargate-hosting",
    proves="The message names the prop and the value that was given",
)
_all = CHECKS.check(
    "all-at-once", lesson="1.6", objective="fargate-hosting", proves="Every problem is reported at once"
)
_tokens = CHECKS.check(
    "leaves-tokens-alone",
    lesson="1.6",
    objective="fargate-hosting",
    proves="A value that is known only at deployment is not judged",
)


def _said(template: Template) -> dict[str, str]:
    assert isinstance(template, Work)
    return template.probed


@_takes.on_template
def _(template: Template) -> str:
    said = _said(template)
    refused = next((f"{case}: {said[case]}" for case in ("usual", "large") if said[case]), "")
    expect(
        not refused,
        f"good props are refused ({refused})",
        where=WHERE,
        next_step="compare the condition with MEMORY and with the ranges in the task",
    )
    return "256/512 and 1024/4096"


@_refuses.on_template
def _(template: Template) -> str:
    said = _said(template)
    bad = {
        "cpu": "cpu=300",
        "memory": "cpu=256, memory_mib=4096",
        "port-0": "port=0",
        "port-70000": "port=70000",
    }
    taken = [words for case, words in bad.items() if not said[case]]
    expect(
        not taken,
        f"ShopTask({taken[0]}) is accepted" if taken else "",
        where=WHERE,
        next_step="collect a problem for it, and raise at the end",
    )
    other = [said[case] for case in bad if not said[case].startswith("ValueError: ")]
    expect(
        not other,
        f"it raises {other[0].split(':')[0]}, which says that the program is wrong, and not that the value is"
        if other
        else "",
        where=WHERE,
        next_step="raise a ValueError; Python even leaves asserts out when it is started with -O",
    )
    return f"{len(bad)} bad props"


@_value.on_template
def _(template: Template) -> str:
    said = _said(template)
    silent = [
        (prop, value)
        for case, prop, value in (
            ("cpu", "cpu", "300"),
            ("memory", "memory_mib", "4096"),
            ("port-0", "port", "0"),
            ("port-70000", "port", "70000"),
        )
        if said[case] and not (prop in said[case] and f"got {value}" in said[case])
    ]
    expect(
        not silent,
        f"the message about {silent[0][0]} does not say what was given ('got {silent[0][1]}')" if silent else "",
        where=WHERE,
        next_step="end the sentence with `, got {value}`: whoever reads it may be far away from the line that gave it",
    )
    return "name, valid values and what was given"


@_all.on_template
def _(template: Template) -> str:
    said = _said(template)
    halves = [
        case
        for case, props in (("cpu-and-port", ("cpu", "port")), ("memory-and-port", ("memory_mib", "port")))
        if said[case] and not all(f"{prop} must" in said[case] for prop in props)
    ]
    expect(
        not halves,
        "two props are wrong and one is reported, so a student mends them one after the other, a run each",
        where=READ,
        next_step="collect the problems in a list and raise once; begin each with the prop's name and `must`",
    )
    expect(
        "memory_mib must" not in said["cpu-and-memory"],
        "memory_mib is judged although cpu is wrong: nobody can say yet which memory would go with it",
        where=WHERE,
        next_step="judge memory_mib only when cpu is one of the valid numbers",
    )
    return "both of two problems, and none that follows from another"


@_tokens.on_template
def _(template: Template) -> str:
    said = _said(template)
    judged = {case: text for case, text in said.items() if case.startswith("token") and text}
    case, text = next(iter(judged.items()), ("", ""))
    expect(
        not judged,
        f"a token is judged like a number, although its value is known only when it is deployed ({case}: {text[:100]})",
        where="https://docs.aws.amazon.com/cdk/v2/guide/tokens.html",
        next_step="skip a value for which cdk.Token.is_unresolved answers True, and what depends on it",
    )
    return "tokens are skipped, alone and together"
