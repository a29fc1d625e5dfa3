"""Cups, glasses, bowls, plates: what things are served in, and the steam above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from .kit import TILT, Drawing, darker, lighter, mix

WHITE, TEAL, CORAL, NAVY, STONE, BUTTER = "#f7f2e8", "#2b7f83", "#e4633f", "#1c4356", "#d8c9b0", "#f3c14f"


def saucer(d: Drawing, cx: float, y: float, rx: float, colour: str) -> None:
    d.shadow(cx, y + 6, rx)
    ry = rx * TILT
    d.ellipse(cx, y + 7, rx, ry, darker(colour, 0.3))
    d.ellipse(
        cx, y, rx, ry, d.linear([(0, lighter(colour, 0.55)), (0.5, colour), (1, darker(colour, 0.16))], 0, 0, 1, 1)
    )
    d.ellipse(
        cx, y + 1, rx * 0.7, ry * 0.68, d.linear([(0, darker(colour, 0.16)), (1, lighter(colour, 0.35))], 0, 0, 1, 1)
    )
    d.ellipse(cx, y + 3, rx * 0.66, ry * 0.63, colour)
    d.line(
        f"M {cx - rx * 0.92} {y - ry * 0.3} A {rx * 0.96} {ry * 0.94} 0 0 1 {cx - rx * 0.1} {y - ry * 0.95}",
        "#ffffff",
        3,
        opacity=0.7,
    )


def plate(
    d: Drawing, colour: str = WHITE, cx: float = 320, y: float = 376, rx: float = 205, rim: str | None = None
) -> None:
    """A flat plate; `rim` paints a ring near its edge."""
    saucer(d, cx, y, rx, colour)
    if rim:
        d.ellipse(cx, y, rx * 0.93, rx * TILT * 0.93, "none", stroke=rim, stroke_width=4, opacity=0.9)


@dataclass(frozen=True)
class Opening:
    """Where a vessel's content is seen: middle and radius of its level surface."""

    cx: float
    cy: float
    rx: float

    @property
    def ry(self) -> float:
        return self.rx * TILT


def _body(d: Drawing, cx: float, top: float, rx: float, height: float, foot: float, colour: str, belly: float) -> None:
    """The outside of a turned vessel; `belly` 0 is a cone and 1 a round bowl."""
    base = top + height
    bend_y, bend_x = top + height * (0.45 + 0.4 * belly), rx - (rx - foot) * (0.5 - 0.45 * belly)
    shape = (
        f"M {cx - rx} {top} C {cx - rx} {top + height * 0.25} {cx - bend_x} {bend_y} {cx - foot} {base} "
        f"A {foot} {foot * TILT} 0 0 0 {cx + foot} {base} C {cx + bend_x} {bend_y} {cx + rx} {top + height * 0.25} {cx + rx} {top} Z"
    )
    d.path(shape, d.round_fill(colour))
    d.path(shape, d.vertical([(0, "#0b2530", 0), (0.6, "#0b2530", 0.02), (1, "#0b2530", 0.3)]))
    x = cx - rx * 0.66
    d.line(
        f"M {x} {top + rx * 0.42} Q {x + rx * 0.04} {top + height * 0.6} {x + rx * 0.2} {base - height * 0.16}",
        "#ffffff",
        rx * 0.07,
        opacity=0.4,
    )


@contextmanager
def cup(
    d: Drawing,
    colour: str,
    liquid: str,
    *,
    cx: float = 320,
    top: float = 236,
    rx: float = 112,
    height: float = 128,
    foot: float = 58,
    handle: bool = True,
    belly: float = 0.8,
    fill: float = 9,
    on_saucer: bool = True,
    inside: str | None = None,
) -> Iterator[Opening]:
    """A ceramic cup of something. Inside the block, draw on its surface: what sticks out over the rim is cut off."""
    base, ry = top + height, rx * TILT
    if on_saucer:
        saucer(d, cx, base + 4, rx * 1.62, colour)
        d.ellipse(
            cx + foot * 0.3, base + 6, foot * 1.5, foot * TILT * 1.4, "#0b2530", opacity=0.3, filter="url(#blur6)"
        )
    else:
        d.shadow(cx, base + foot * TILT * 0.5, rx * 0.92, foot * TILT * 1.3)
    if handle:
        hx, hy, hr = cx + rx * 0.84, top + height * 0.42, rx * 0.36
        ring = f"M {hx} {hy - hr * 0.8} C {hx + hr * 1.9} {hy - hr * 1.25} {hx + hr * 1.7} {hy + hr * 1.2} {hx - hr * 0.3} {hy + hr * 1.0}"
        d.line(ring, darker(colour, 0.36), rx * 0.19)
        d.line(ring, darker(colour, 0.08), rx * 0.14)
        d.line(ring, lighter(colour, 0.4), rx * 0.04, transform=f"translate({-rx * 0.03} {-rx * 0.03})", opacity=0.8)
    _body(d, cx, top, rx, height, foot, colour, belly)
    inner = mix(inside or WHITE, colour, 0.1)
    d.ellipse(cx, top, rx, ry, d.linear([(0, lighter(colour, 0.65)), (1, darker(colour, 0.1))]))
    d.ellipse(cx, top + 1, rx - 6, ry - 4, d.linear([(0, darker(inner, 0.34)), (0.6, inner), (1, lighter(inner, 0.6))]))
    opening = Opening(cx, top + fill, rx - 9)
    with d.clipped(f'<ellipse cx="{cx}" cy="{top + 1}" rx="{rx - 6}" ry="{ry - 4}"/>'):
        d.ellipse(
            cx,
            top + fill,
            opening.rx,
            opening.ry,
            d.linear([(0, darker(liquid, 0.18)), (0.5, liquid), (1, lighter(liquid, 0.14))]),
        )
        yield opening
        d.ellipse(cx - 4, top - ry * 0.42, rx * 0.98, ry * 0.9, "#0b2530", opacity=0.13, filter="url(#blur6)")


def bowl(
    d: Drawing, colour: str, liquid: str, *, rx: float = 150, height: float = 104, top: float = 276, fill: float = 10
) -> AbstractContextManager[Opening]:
    """A wide bowl without a handle; use it like `cup`."""
    return cup(
        d,
        colour,
        liquid,
        rx=rx,
        height=height,
        top=top,
        foot=rx * 0.44,
        handle=False,
        belly=1,
        fill=fill,
        on_saucer=False,
        inside=colour,
    )


@contextmanager
def glass(
    d: Drawing,
    layers: Sequence[tuple[float, str]],
    *,
    cx: float = 320,
    top: float = 128,
    rx: float = 74,
    height: float = 240,
    foot: float = 60,
    level: float = 26,
    wall: float = 7,
    handle: bool = False,
) -> Iterator[Opening]:
    """A drinking glass: `layers` colour its content from the surface (0) to the bottom (1).

    Inside the block draw what floats in it; the glass itself, its rim and its reflections follow.
    """
    base, ry, foot_ry = top + height, rx * TILT, foot * TILT
    d.shadow(cx, base, foot * 1.1)
    d.ellipse(cx + 78, base + 12, 74, 16, layers[-1][1], opacity=0.35, filter="url(#blur14)")
    slope = (rx - foot) / height
    surface_rx = rx - wall - slope * level
    floor = base - 13
    if handle:
        ring = f"M {cx + rx - 4} {top + height * 0.22} C {cx + rx * 1.75} {top + height * 0.12} {cx + rx * 1.7} {top + height * 0.78} {cx + rx * 0.88} {top + height * 0.68}"
        d.line(ring, "#ffffff", 15, opacity=0.35)
        d.line(ring, "#ffffff", 5, opacity=0.75)
    d.path(_tumbler(cx, top, rx, base, foot), "#ffffff", opacity=0.2)
    content = (
        f"M {cx - surface_rx} {top + level} L {cx - foot + wall} {floor} A {foot - wall} {foot_ry - 3} 0 0 0 {cx + foot - wall} {floor} "
        f"L {cx + surface_rx} {top + level} A {surface_rx} {surface_rx * TILT} 0 0 0 {cx - surface_rx} {top + level} Z"
    )
    d.path(content, d.vertical([(at, colour) for at, colour in layers]))
    d.path(content, d.linear([(0, "#0b2530", 0.22), (0.18, "#ffffff", 0.12), (0.5, "#ffffff", 0), (1, "#0b2530", 0.3)]))
    first = layers[0][1]
    d.ellipse(
        cx, top + level, surface_rx, surface_rx * TILT, d.linear([(0, darker(first, 0.1)), (1, lighter(first, 0.28))])
    )
    yield Opening(cx, top + level, surface_rx)
    d.path(
        f"M {cx - rx} {top} L {cx - foot} {base} A {foot} {foot_ry} 0 0 0 {cx + foot} {base} L {cx + rx} {top}",
        "none",
        stroke="#ffffff",
        stroke_width=2.5,
        opacity=0.6,
    )
    d.ellipse(cx, top, rx, ry, "none", stroke="#ffffff", stroke_width=3, opacity=0.85)
    d.line(f"M {cx - rx * 0.74} {top + 34} L {cx - foot * 0.72} {base - 30}", "#ffffff", 8, opacity=0.5)
    d.line(f"M {cx + rx * 0.8} {top + 30} L {cx + foot * 0.82} {base - 60}", "#ffffff", 3, opacity=0.4)


def _tumbler(cx: float, top: float, rx: float, base: float, foot: float) -> str:
    return (
        f"M {cx - rx} {top} L {cx - foot} {base} A {foot} {foot * TILT} 0 0 0 {cx + foot} {base} L {cx + rx} {top} "
        f"A {rx} {rx * TILT} 0 0 0 {cx - rx} {top} Z"
    )


def steam(d: Drawing, cx: float = 320, y: float = 210, height: float = 120) -> None:
    for dx, size, opacity in ((-34, 0.85, 0.5), (4, 1.1, 0.6), (40, 0.8, 0.42)):
        x, h = cx + dx, height * size
        d.line(
            f"M {x} {y} C {x - 26} {y - h * 0.3} {x + 28} {y - h * 0.55} {x} {y - h}",
            d.vertical([(0, "#ffffff", 0), (0.35, "#ffffff", 0.9), (1, "#ffffff", 0.05)]),
            13,
            opacity=opacity,
            filter="url(#blur6)",
        )


def spoon(d: Drawing, x: float, y: float, length: float = 130, turn: float = -14) -> None:
    with d.group(transform=f"translate({x} {y}) rotate({turn}) scale(1 .55)"):
        d.line(f"M 0 8 L {length} 8", "#0b2530", 8, opacity=0.25, filter="url(#blur3)")
        d.line(f"M 0 0 L {length} 0", "#b9b4aa", 7)
        d.line(f"M 0 -2 L {length} -2", "#f4f1ea", 2.5)
        d.ellipse(-20, 0, 28, 19, d.linear([(0, "#f4f1ea"), (1, "#a39d92")], 0, 0, 1, 1))
        d.ellipse(-20, 2, 21, 13, d.linear([(0, "#9c968c"), (1, "#ded9cf")], 0, 0, 1, 1))
