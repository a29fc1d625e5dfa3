"""Pieces of HTML that the page and the projector share. Everything from a template is escaped here."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from brewhaven.diff.diagram import STATE_SIGNS, Diagram, State
from brewhaven.diff.model import CodeLine
from brewhaven.diff.story import Item

STATE_WORDS: dict[State, str] = {"added": "added", "removed": "removed", "changed": "changed", "same": "unchanged"}
LONGEST_DETAIL = 900


def asset(name: str) -> str:
    """A style sheet or script that goes into the page, so that the file needs no other."""
    return files("brewhaven.diff.render").joinpath("assets", name).read_text(encoding="utf-8")


def document(title: str, body: str, styles: list[str], scripts: list[str]) -> str:
    """A whole page that loads nothing."""
    css = "\n".join(asset(name) for name in styles)
    js = "\n".join(asset(name) for name in scripts)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">"
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{css}</style></head>\n'
        f"<body>{body}<script>{js}</script></body></html>\n"
    )


def sign(item: Item) -> str:
    """The sign and its word."""
    return (
        f'<span class="sign {item.kind}"><b aria-hidden="true">{escape(item.sign)}</b> {escape(item.word)}</span>'
    )  # fmt: skip


def warning(item: Item) -> str:
    return f' <strong class="warning">! {escape(item.warning)}</strong>' if item.warning else ""


def code(line: CodeLine, *, around: int = 3) -> str:
    """A line of code between its neighbours, marked by a pointer and a background."""
    near = [(number, words) for number, words in line.excerpt if abs(number - line.line) <= around]
    indent = min((len(words) - len(words.lstrip()) for _, words in near if words.strip()), default=0)
    rows = []
    for number, words in near:
        here = number == line.line
        attributes = ' class="here"' if here else ""
        pointer = "&gt;" if here else " "
        rows.append(f"<span{attributes}><i>{pointer}{number:>4}</i> {escape(words[indent:]) or ' '}</span>")
    how = "" if line.exact else ' <span class="guess">(found by the construct\'s id)</span>'
    return (
        f'<figure class="code"><figcaption>{escape(line.place)}{how}</figcaption>'
        f'<pre tabindex="0">{"".join(rows)}</pre></figure>'
    )


def detail(words: str) -> str:
    """One detail; one that begins with a sign is coloured as such."""
    kinds = {"+ ": "added", "- ": "removed", "~ ": "changed"}
    kind = kinds.get(words[:2], "plain")
    if len(words) > LONGEST_DETAIL:
        words = words[:LONGEST_DETAIL] + " …"
    return f'<li class="{kind}"><code>{escape(words)}</code></li>'


def legend(diagram: Diagram) -> str:
    """The data paths in words, by the numbers in the diagram."""
    return f'<ol class="legend">{"".join(paths(diagram))}</ol>' if diagram.arrows else ""


def paths(diagram: Diagram) -> list[str]:
    """Each data path in words, with its number."""
    rows = []
    for arrow in diagram.arrows:
        gone = [way for way in arrow.before if way not in arrow.after]
        new = [way for way in arrow.after if way not in arrow.before]
        kept = [way for way in arrow.after if way in arrow.before]
        marked = [f"<span>{escape(way)}</span>" for way in kept]
        if arrow.state == "changed":
            marked += [f'<span class="added">+ {escape(way)}</span>' for way in new]
            marked += [f'<span class="removed">- {escape(way)}</span>' for way in gone]
        else:
            marked += [f"<span>{escape(way)}</span>" for way in new + gone]
        number = f"{STATE_SIGNS[arrow.state]}{arrow.number}"
        source = arrow.source[:1].upper() + arrow.source[1:]
        rows.append(
            f'<li class="path {arrow.state}"><span class="number {arrow.state}">{number}'
            f'<span class="hidden"> {STATE_WORDS[arrow.state]}</span></span>'
            f'<span><b>{escape(source)} <span aria-label="to">→</span> {escape(arrow.target)}</b> {"; ".join(marked)}'
            "</span></li>"
        )
    return rows
