"""The comparison for a projector: one change on the screen, large, with the CDK code that made it beside it.

It is one HTML file. Keys: right, space or enter for the next change, left for the one before, o for the overview.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from brewhaven.diff import diagram
from brewhaven.diff.model import Comparison
from brewhaven.diff.render import markup
from brewhaven.diff.story import Group, Item, Section, Story

DETAILS_SHOWN = 6
SMALL_TOGETHER = 4
PATHS_TOGETHER = 6


def render(comparison: Comparison, story: Story) -> str:
    """The presentation. It needs no other file and no network."""
    slides = list(_slides(comparison, story))
    body = "".join(
        f'<section class="slide" id="{place}" aria-label="{place} of {len(slides)}" data-title="{escape(title)}">'
        f"{words}</section>"
        for place, (title, words) in enumerate(slides, start=1)
    )
    frame = (
        f'<main>{body}</main><nav aria-label="Slides"><button type="button" id="previous" aria-label="Previous change">'
        '←</button><span id="place" aria-live="polite"></span>'
        '<button type="button" id="next" aria-label="Next change">→</button>'
        '<button type="button" id="list" aria-expanded="false">Overview (o)</button></nav>'
        '<dialog id="overview" aria-label="Overview"><ol></ol></dialog><div id="bar" aria-hidden="true"></div>'
    )
    return markup.document(story.title, frame, ["base.css", "projector.css"], ["projector.js"])


def _slides(comparison: Comparison, story: Story) -> Iterator[tuple[str, str]]:
    summary = "".join(f"<li>{escape(line)}</li>" for line in story.summary)
    heading = f"<h1>{escape(story.before)} <span aria-label='to'>→</span> {escape(story.after)}</h1>"
    yield story.title, f'<div class="opening">{heading}<ul>{summary}</ul></div>'
    drawn = diagram.build(comparison)
    if drawn.nodes:
        for view, title in (("before", "Before"), ("changes", "What changes"), ("after", "After")):
            if view != "before" or comparison.before.stacks:
                yield title, _picture(drawn, view, title)
        paths = markup.paths(drawn)
        for start in range(0, len(paths), PATHS_TOGETHER):
            listed = "".join(paths[start : start + PATHS_TOGETHER])
            yield (
                "The data paths in words",
                f'<div class="paths"><h1>The data paths in words</h1><ol class="legend">{listed}</ol></div>',
            )
    for item in story.care:
        yield item.sentence, _slide("Look twice", "", item)
    for section in story.sections:
        if section.id not in {"helpers", "replaced"}:
            for group in section.groups:
                yield from _group(section, group)


def _picture(drawn: diagram.Diagram, view: str, title: str) -> str:
    picture = diagram.svg(drawn, tall=False, id_=view)
    return (
        f'<div class="picture" data-view="{view}"><h1>{title}</h1>'
        f'<div class="canvas" tabindex="0" role="group" aria-label="Diagram">{picture}</div></div>'
    )


def _group(section: Section, group: Group) -> Iterator[tuple[str, str]]:
    """A slide for each change; what is small and of one construct shares one."""
    small = [item for item in group.items if section.id == "resources" and not item.heavy]
    for item in group.items:
        if item not in small:
            yield _title(section, group, item), _slide(section.title, group.title, item)
    for start in range(0, len(small), SMALL_TOGETHER):
        some = small[start : start + SMALL_TOGETHER]
        yield f"{group.title}: the rest", _together(section, group, some)


def _title(section: Section, group: Group, item: Item) -> str:
    return f"{group.title}: {item.text}" if group.title and section.id == "resources" else item.sentence


def _slide(section: str, group: str, item: Item) -> str:
    shown = item.details[:DETAILS_SHOWN]
    details = "".join(markup.detail(words) for words in shown)
    if len(item.details) > len(shown):
        details += f"<li>and {len(item.details) - len(shown)} more</li>"
    code = "".join(markup.code(line, around=4 - 2 * place) for place, line in enumerate(item.code[:2]))
    words = item.sentence if item.whole else item.text
    over = " · ".join(escape(part) for part in (section, "" if item.whole else group, item.service) if part)
    length = " long" if len(words) > 150 else ""
    return (
        f'<div class="change{"" if code else " alone"}"><div class="said"><p class="over">{over}</p>'
        f'<p>{markup.sign(item)}</p><h1 class="words{length}">{escape(words)}{markup.warning(item)}</h1>'
        f"{f'<ul class=details>{details}</ul>' if details else ''}</div>"
        f"{f'<div class=beside>{code}</div>' if code else ''}</div>"
    )


def _together(section: Section, group: Group, items: list[Item]) -> str:
    rows = "".join(f"<li>{markup.sign(item)} {escape(item.text)}</li>" for item in items)
    lines = dict.fromkeys(item.code[0] for item in items if item.code)
    code = "".join(markup.code(line, around=2) for line in list(lines)[:2])
    return (
        f'<div class="change{"" if code else " alone"}"><div class="said">'
        f'<p class="over">{escape(section.title)}</p><h1 class="words long">{escape(group.title)}: the rest</h1>'
        f'<ul class="rest">{rows}</ul></div>'
        f"{f'<div class=beside>{code}</div>' if code else ''}</div>"
    )
