"""The check that every phase with a network has: whatever runs reaches what it calls."""

from __future__ import annotations

from brewhaven.course.checks import expect
from brewhaven.course.template import Template
from brewhaven.reach.report import survey_templates


def every_path(template: Template) -> str:
    """Follow the network from every function, task and server of all stacks to what its role names and is given.

    Raises:
        Failure: A hop is missing, and it says which; or nothing runs whose paths could be followed.
    """
    found = survey_templates({**template.beside, template.stack: template.body})
    expect(
        found.reached or found.missing,
        "nothing in the stack runs and calls anything, so there is no path to follow",
        where="the functions, tasks and servers of the stack",
        next_step="deploy the lesson's whole stack",
    )
    first = found.missing[0] if found.missing else None
    more = f" (and {len(found.missing) - 1} more)" if len(found.missing) > 1 else ""
    expect(
        first is None,
        f"{first.text.rstrip('.') if first else ''}{more}",
        where="constructs/brew_constructs/shop_network.py, and the subnets and security groups of what is named",
        next_step=first.remedy if first else "",
    )
    return f"{len(found.reached)} paths of {len({one.workload for one in found.reached})} parts"
