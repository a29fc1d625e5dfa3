"""Bags of coffee for home, and the shop's own scene."""

from __future__ import annotations

from .garnish import bean
from .kit import Drawing, darker, lighter, picture, scatter
from .vessels import BUTTER, CORAL, NAVY, TEAL


def mark(d: Drawing, x: float, y: float, size: float, cup: str, sail: str) -> None:
    """The logo: a cup that is a boat, its steam that is a sail."""
    with d.group(transform=f"translate({x} {y}) scale({size / 64})"):
        d.path("M 8 34 H 50 C 50 46 41 54 29 54 C 17 54 8 46 8 34 Z", cup)
        d.path("M 50 37 C 60 35 61 48 46 47", "none", stroke=cup, stroke_width=4.5, stroke_linecap="round")
        d.path("M 31 30 C 44 26 45 14 35 5 C 37 14 31 20 31 30 Z", sail)
        d.path("M 27 30 C 13 28 13 17 24 9 C 22 17 27 22 27 30 Z", sail)
        d.path(
            "M 4 60 Q 12 54.500 20 60 T 36 60 T 52 60 T 60 60",
            "none",
            stroke=cup,
            stroke_width=3.5,
            stroke_linecap="round",
        )


def bag(d: Drawing, colour: str, label: str, ink: str, accent: str) -> None:
    d.shadow(324, 402, 108, 36)
    body = "M 216 152 L 424 152 Q 434 280 426 404 Q 320 424 214 404 Q 206 280 216 152 Z"
    d.path(
        body,
        d.linear(
            [
                (0, lighter(colour, 0.08)),
                (0.18, lighter(colour, 0.34)),
                (0.45, colour),
                (0.8, darker(colour, 0.25)),
                (1, darker(colour, 0.45)),
            ]
        ),
    )
    d.path("M 216 152 L 236 176 Q 226 290 236 406 L 214 404 Q 206 280 216 152 Z", "#0b2530", opacity=0.16)
    d.path("M 424 152 L 404 176 Q 414 290 404 408 L 426 404 Q 434 280 424 152 Z", "#0b2530", opacity=0.22)
    d.path(
        "M 214 110 L 426 110 L 424 156 L 216 156 Z",
        d.linear([(0, lighter(colour, 0.1)), (0.3, lighter(colour, 0.3)), (1, darker(colour, 0.35))]),
    )
    d.line("M 214 112 L 426 112", lighter(colour, 0.45), 4)
    d.line("M 216 156 L 424 156", darker(colour, 0.4), 3, opacity=0.6)
    for x in (206, 420):
        d.rect(x, 118, 14, 26, d.linear([(0, "#fbe3a8"), (1, "#b98a2e")]), rx=3)
    d.circle(320, 186, 7, darker(colour, 0.45))
    d.rect(252, 216, 136, 150, label, rx=10)
    d.rect(252, 346, 136, 20, accent, rx=6)
    mark(d, 276, 226, 84, ink, accent)
    for y, w in ((318, 88), (332, 58)):
        d.rect(320 - w / 2, y, w, 7, ink, rx=3.5, opacity=0.85)
    for i, (u, v) in enumerate(scatter(13, 4)):
        bean(d, 196 + u * 60, 420 + v * 20, 25, i * 63)
    for i, (u, v) in enumerate(scatter(6, 9)):
        bean(d, 452 + u * 36, 424 + v * 14, 25, i * 71)


@picture("harbour-blend", "lamp")
def harbour_blend(d: Drawing) -> None:
    bag(d, TEAL, "#fbf3e2", NAVY, CORAL)


@picture("night-watch-decaf", "foam")
def night_watch(d: Drawing) -> None:
    bag(d, NAVY, "#24505f", "#fbf3e2", BUTTER)
