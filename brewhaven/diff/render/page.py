"""The comparison as one HTML file: a diagram that switches between before and after, and every change with its code."""

from __future__ import annotations

from html import escape

from brewhaven.diff import diagram
from brewhaven.diff.model import CodeLine, Comparison
from brewhaven.diff.render import markup
from brewhaven.diff.story import Group, Item, Section, Story

VIEWS = (("changes", "Changes"), ("before", "Before"), ("after", "After"))


def render(comparison: Comparison, story: Story) -> str:
    """The page. It needs no other file and no network."""
    drawn = diagram.build(comparison)
    parts = [_header(story), _contents(story), '<main id="changes">', _diagram(drawn, story), _care(story)]
    parts += [_section(section) for section in story.sections]
    parts.append("</main><footer>Made by <code>brewhaven diff</code>. Keys: 1 changes, 2 before, 3 after, d details.")
    return markup.document(story.title, "".join(parts) + "</footer>", ["base.css", "page.css"], ["page.js"])


def _header(story: Story) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in story.summary)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in story.notes)
    return (
        '<a class="skip" href="#changes">Skip to the changes</a>'
        f"<header><p>brewhaven diff</p><h1><span>{escape(story.before)}</span> "
        f'<span class="to" aria-label="to">→</span> <span>{escape(story.after)}</span></h1>'
        f'<ul class="summary">{lines}</ul>{notes}</header>'
    )


def _contents(story: Story) -> str:
    links = "".join(
        f'<li><a href="#{section.id}">{escape(section.title)} <b>{len(list(section.items))}</b></a></li>'
        for section in story.sections
    )
    return f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if links else ""


def _diagram(drawn: diagram.Diagram, story: Story) -> str:
    if not drawn.nodes:
        return ""
    buttons = "".join(
        f'<button type="button" data-view="{id_}" aria-pressed="{"true" if id_ == "changes" else "false"}">'
        f"{words}</button>"
        for id_, words in VIEWS
    )
    key = "".join(
        f'<li><span class="number {state}">{diagram.STATE_SIGNS[state] or "·"}</span> {words}</li>'
        for state, words in markup.STATE_WORDS.items()
    )
    return (
        '<section id="diagram" data-view="changes"><h2>Components and data paths</h2>'
        f'<div class="views" role="group" aria-label="What the diagram shows">{buttons}</div>'
        f'<ul class="key">{key}</ul><p class="viewing" aria-live="polite">Both sides, with what changed.</p>'
        '<div class="canvas" tabindex="0" role="group" aria-label="Diagram">'
        f"{diagram.svg(drawn, tall=False, id_='w')}{diagram.svg(drawn, tall=True, id_='t')}</div>"
        f"<h3>The data paths in words</h3>{markup.legend(drawn)}</section>"
    )


def _care(story: Story) -> str:
    if not story.care:
        return ""
    items = "".join(_item(item) for item in story.care)
    return f'<section id="care" class="care"><h2>Look twice</h2><ul class="items">{items}</ul></section>'


def _section(section: Section) -> str:
    groups = "".join(_group(group) for group in section.groups)
    lead = f"<p>{escape(section.lead)}</p>" if section.lead else ""
    if section.id == "helpers":
        number = len(list(section.items))
        groups = f"<details><summary>Show all {number}</summary>{groups}</details>"
    return f'<section id="{section.id}"><h2>{escape(section.title)}</h2>{lead}{groups}</section>'


def _group(group: Group) -> str:
    title = f"<h3>{escape(group.title)}</h3>" if group.title else ""
    known: CodeLine | None = None
    rows = []
    for item in group.items:
        rows.append(_item(item, known))
        known = item.code[0] if item.code else known
    return f'{title}<ul class="items">{"".join(rows)}</ul>'


def _item(item: Item, known: CodeLine | None = None) -> str:
    """An item; code that stands above it already is not shown again."""
    details = "".join(markup.detail(words) for words in item.details)
    names = "".join(f"<li><code>{escape(path)}</code> <small>{escape(id_)}</small></li>" for path, id_ in item.names)
    code = "".join(markup.code(line) for line in item.code[:1] if line != known)
    place = f'<small class="place">{escape(item.code[0].place)}</small>' if item.code else ""
    service = f' <small class="service">{escape(item.service)}</small>' if item.service else ""
    head = f'{markup.sign(item)}<span class="said">{escape(item.text)}{service}{markup.warning(item)}</span>'
    if not (details or names or code):
        return f'<li class="item {item.kind}"><div class="head">{head}</div></li>'
    body = (f'<ul class="details">{details}</ul>' if details else "") + (
        f'<ul class="names" aria-label="Construct paths and logical ids">{names}</ul>' if names else ""
    )
    return (
        f'<li class="item {item.kind}"><details{" open" if item.heavy and item.details else ""}>'
        f'<summary class="head">{head}{place}</summary>{body}{code}</details></li>'
    )
