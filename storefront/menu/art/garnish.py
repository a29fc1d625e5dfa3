"""What lies in, on and beside the food: foam, leaves, berries, ice, citrus, beans."""

from __future__ import annotations

from .kit import TILT, Drawing, darker, lighter, scatter
from .vessels import Opening


def crema(d: Drawing, o: Opening, colour: str) -> None:
    """The ring of hazel foam that an espresso leaves at the wall of the cup."""
    d.ellipse(
        o.cx, o.cy, o.rx, o.ry, d.radial([(0, colour), (0.62, colour), (1, lighter(colour, 0.3))], 0.5, 0.5, 0.52)
    )
    for u, v in scatter(26, 3):
        d.ellipse(o.cx + u * o.rx * 0.95, o.cy + v * o.ry * 0.95, 2.6, 1.3, lighter(colour, 0.32), opacity=0.6)


def heart(d: Drawing, o: Opening, milk: str = "#f8ecd8") -> None:
    with d.surface(o.cx, o.cy, o.rx):
        d.circle(0, -4, 76, milk, opacity=0.28)
        d.path("M 0 70 C -34 34 -74 4 -60 -34 C -50 -62 -14 -60 0 -30 C 14 -60 50 -62 60 -34 C 74 4 34 34 0 70 Z", milk)
        d.path(
            "M 0 44 C -22 20 -44 2 -38 -22 C -30 -42 -10 -36 0 -12 C 10 -36 30 -42 38 -22 C 44 2 22 20 0 44 Z",
            "none",
            stroke="#c99a66",
            stroke_width=5,
            opacity=0.5,
        )


def fern(d: Drawing, o: Opening, milk: str = "#f8ecd8") -> None:
    with d.surface(o.cx, o.cy, o.rx):
        d.path(
            "M 0 88 C -30 70 -84 40 -78 -12 C -72 -52 -34 -66 0 -86 C 34 -66 72 -52 78 -12 C 84 40 30 70 0 88 Z", milk
        )
        for i in range(5):
            y, w = 52 - i * 25, 74 - abs(i - 1.6) * 9
            d.line(
                f"M {-w} {y - 26} Q {-w * 0.5} {y + 12} 0 {y + 6} Q {w * 0.5} {y + 12} {w} {y - 26}",
                "#a9682f",
                7,
                opacity=0.85,
            )
        d.path("M 0 -84 C -30 -84 -32 -58 0 -38 C 32 -58 30 -84 0 -84 Z", milk)
        d.line("M 0 -44 L 0 84", milk, 5)


def foam(d: Drawing, o: Opening, height: float = 20, colour: str = "#fbf3e3") -> None:
    """A cap of milk foam that stands above the rim."""
    d.ellipse(o.cx, o.cy, o.rx, o.ry, darker(colour, 0.14))
    d.ellipse(
        o.cx,
        o.cy - height * 0.3,
        o.rx * 0.98,
        o.ry * 0.98,
        d.radial([(0, "#fffdf7"), (0.6, colour), (1, darker(colour, 0.16))], 0.4, 0.3, 0.7),
    )
    for u, v in scatter(40, 8):
        d.ellipse(
            o.cx + u * o.rx * 0.9, o.cy - height * 0.3 + v * o.ry * 0.9, 2.2, 1.1, darker(colour, 0.12), opacity=0.5
        )


def dust(d: Drawing, o: Opening, colour: str, count: int = 90, spread: float = 0.7, lift: float = 6) -> None:
    for i, (u, v) in enumerate(scatter(count, 5)):
        d.ellipse(
            o.cx + u * o.rx * spread,
            o.cy - lift + v * o.ry * spread,
            1.4 + (i % 4) * 0.8,
            0.9 + (i % 3) * 0.4,
            colour,
            opacity=0.75,
        )


def cream(d: Drawing, cx: float, y: float, rx: float, turns: int = 4, colour: str = "#fdf7ea") -> None:
    """Whipped cream, piped from the rim upward in ever smaller rounds."""
    for i in range(turns):
        t = i / turns
        r, top = rx * (1 - t * 0.86), y - i * rx * 0.27
        d.ellipse(cx + r * 0.05, top + 5, r, r * 0.5, darker(colour, 0.24))
        d.ellipse(
            cx, top, r, r * 0.5, d.linear([(0, "#fffefb"), (0.55, colour), (1, darker(colour, 0.2))], 0, 0, 1, 0.6)
        )
        for k in range(5):
            x = cx - r * 0.72 + k * r * 0.36
            d.line(
                f"M {x} {top + r * 0.3 - abs(k - 2) * r * 0.08} q {r * 0.16} {r * 0.1} {r * 0.22} {-r * 0.12}",
                darker(colour, 0.17),
                max(1.5, r * 0.035),
            )
    tip = y - turns * rx * 0.27
    d.path(
        f"M {cx - rx * 0.17} {tip + rx * 0.2} Q {cx - rx * 0.06} {tip} {cx + rx * 0.1} {tip - rx * 0.2} Q {cx + rx * 0.2} {tip + rx * 0.08} {cx + rx * 0.12} {tip + rx * 0.24} Z",
        colour,
    )


def leaf(d: Drawing, x: float, y: float, length: float, turn: float, colour: str = "#4f9a5b") -> None:
    with d.group(transform=f"translate({x:.1f} {y:.1f}) rotate({turn:.0f}) scale({length / 100:.3f})"):
        d.path(
            "M 0 0 C 20 -42 70 -44 100 0 C 70 44 20 42 0 0 Z",
            d.linear([(0, lighter(colour, 0.3)), (1, darker(colour, 0.25))], 0, 0, 0, 1),
        )
        d.line(
            "M 4 0 L 92 0 M 26 0 L 42 -20 M 26 0 L 42 20 M 50 0 L 66 -20 M 50 0 L 66 20",
            lighter(colour, 0.45),
            3,
            opacity=0.7,
        )


def berry(d: Drawing, x: float, y: float, r: float, kind: str = "blueberry") -> None:
    d.ellipse(x + r * 0.2, y + r * 0.55, r, r * 0.6, "#0b2530", opacity=0.25)
    if kind == "blueberry":
        d.circle(x, y, r, d.ball_fill("#3d4f86"))
        d.circle(x + r * 0.15, y - r * 0.2, r * 0.32, "#25305c", opacity=0.8)
        d.circle(x - r * 0.36, y - r * 0.42, r * 0.16, "#c9d3f2", opacity=0.8)
        return
    for u, v in [
        (-0.5, 0.3),
        (0.5, 0.3),
        (0, 0.55),
        (-0.62, -0.2),
        (0.62, -0.2),
        (0, 0),
        (-0.3, -0.55),
        (0.34, -0.55),
        (0, -0.3),
    ]:
        d.circle(x + u * r, y + v * r, r * 0.42, d.ball_fill("#d6395a"))


def ice(d: Drawing, x: float, y: float, size: float, turn: float, tint: str = "#ffffff") -> None:
    with d.group(transform=f"translate({x} {y}) rotate({turn})", opacity=0.82):
        half = size / 2
        d.rect(
            -half,
            -half,
            size,
            size,
            d.linear([(0, "#ffffff", 0.85), (0.5, tint, 0.25), (1, "#ffffff", 0.5)], 0, 0, 1, 1),
            rx=size * 0.2,
        )
        d.rect(-half, -half, size, size, "none", rx=size * 0.2, stroke="#ffffff", stroke_width=2.5, opacity=0.75)
        d.line(
            f"M {-half * 0.55} {half * 0.3} L {-half * 0.55} {-half * 0.5} L {half * 0.1} {-half * 0.5}",
            "#ffffff",
            3.5,
            opacity=0.9,
        )


def citrus(d: Drawing, x: float, y: float, r: float, colour: str = "#f6c945", tilt: float = 1, turn: float = 0) -> None:
    """A round slice of lemon or orange; `tilt` 1 faces us, `TILT` lies on the table."""
    with d.group(transform=f"translate({x} {y}) rotate({turn}) scale({r / 100} {r * tilt / 100})"):
        d.circle(0, 6, 100, darker(colour, 0.3))
        d.circle(0, 0, 100, colour)
        d.circle(0, 0, 86, "#fff3d0")
        for i in range(8):
            with d.group(transform=f"rotate({i * 45})"):
                d.path(
                    "M 0 -10 L -26 -66 Q 0 -90 26 -66 Z",
                    lighter(colour, 0.22),
                    stroke="#fff3d0",
                    stroke_width=4,
                    stroke_linejoin="round",
                )


def bean(d: Drawing, x: float, y: float, size: float, turn: float, colour: str = "#5b3522") -> None:
    d.ellipse(x + size * 0.14, y + size * 0.3, size * 0.62, size * 0.36, "#0b2530", opacity=0.3)
    with d.group(transform=f"translate({x:.1f} {y:.1f}) rotate({turn:.0f})"):
        d.ellipse(0, 0, size * 0.62, size * 0.42, d.ball_fill(colour))
        d.line(
            f"M {-size * 0.56} 0 C {-size * 0.2} {-size * 0.22} {size * 0.2} {size * 0.22} {size * 0.56} 0",
            darker(colour, 0.6),
            size * 0.1,
        )


def crumbs(d: Drawing, spots: list[tuple[float, float]], colour: str) -> None:
    for i, (x, y) in enumerate(spots):
        d.ellipse(x, y, 4 + i % 3, 2.5 + i % 2, darker(colour, 0.1 * (i % 3)))


def stick(d: Drawing, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> None:
    d.line(f"M {x1} {y1} L {x2} {y2}", darker(colour, 0.4), width)
    d.line(f"M {x1} {y1} L {x2} {y2}", colour, width * 0.72)
    d.line(f"M {x1 - 2} {y1} L {x2 - 2} {y2}", lighter(colour, 0.4), width * 0.2)


def straw(
    d: Drawing, x1: float, y1: float, x2: float, y2: float, colour: str, stripe: str = "#ffffff", width: float = 13
) -> None:
    d.line(f"M {x1} {y1} L {x2} {y2}", colour, width)
    d.path(f"M {x1} {y1} L {x2} {y2}", "none", stroke=stripe, stroke_width=width, stroke_dasharray="9 13", opacity=0.95)
    d.line(f"M {x1 + 3} {y1} L {x2 + 3} {y2}", "#0b2530", 3, opacity=0.15)


LYING = TILT
