"""Breakfast and lunch."""

from __future__ import annotations

import math

from .garnish import berry, leaf
from .kit import Drawing, picture, scatter
from .vessels import CORAL, NAVY, STONE, TEAL, WHITE, bowl, cup, glass, plate, saucer, spoon, steam


def slice_of_bread(d: Drawing, cx: float, cy: float, size: float, turn: float = 0) -> None:
    """A slice of sourdough lying flat: the crust shows as an edge below it."""
    shape = "M -96 10 C -110 -40 -80 -74 -40 -70 C -10 -88 30 -86 52 -70 C 92 -72 112 -36 98 10 C 96 48 70 66 0 66 C -70 66 -92 48 -96 10 Z"
    for dy, fill in ((22, "#7c4518"), (14, "#9c5c24"), (0, "#b9742f")):
        with d.group(transform=f"translate({cx} {cy + dy}) scale({size} {size * 0.62}) rotate({turn})"):
            d.path(shape, fill)
    with d.group(transform=f"translate({cx} {cy - 1}) scale({size * 0.93} {size * 0.56}) rotate({turn})"):
        d.path(shape, d.linear([(0, "#fae6bd"), (1, "#e2bd80")], 0, 0, 1, 1))
        for u, v in scatter(34, 4):
            d.ellipse(u * 84, v * 58, 4, 3, "#d0a468", opacity=0.7)


@picture("granola-bowl", "coral")
def granola(d: Drawing) -> None:
    with bowl(d, TEAL, "#fdf8ee") as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, d.radial([(0, "#ffffff"), (1, "#efe4d0")], 0.4, 0.4, 0.7))
        d.line(f"M {o.cx - 96} {o.cy + 4} q 30 22 66 8 q 20 -14 50 2", "#e2a33a", 5, opacity=0.9)
        for i, (u, v) in enumerate(scatter(80, 2)):
            x, y = o.cx + 44 + u * 74, o.cy - 2 + v * 34
            d.rect(
                x - 7,
                y - 5,
                14,
                9,
                d.linear([(0, "#f0c682"), (1, "#a8692d")], 0, 0, 1, 1),
                rx=4,
                transform=f"rotate({i * 41} {x:.0f} {y:.0f})",
            )
        for x, y, r, kind in (
            (-72, -18, 15, "blueberry"),
            (-44, -28, 15, "blueberry"),
            (-98, -2, 15, "blueberry"),
            (-58, 8, 17, "raspberry"),
            (-22, -12, 17, "raspberry"),
            (-84, 18, 14, "blueberry"),
            (-28, 20, 16, "raspberry"),
        ):
            berry(d, o.cx + x, o.cy + y, r, kind)
        leaf(d, o.cx - 20, o.cy - 28, 42, -40, "#58a35d")
        leaf(d, o.cx - 20, o.cy - 28, 38, -100, "#6db76b")
    spoon(d, 506, 416, 96, 12)


@picture("avocado-toast", "foam")
def avocado_toast(d: Drawing) -> None:
    plate(d, WHITE, rim=CORAL)
    d.ellipse(338, 372, 138, 48, "#0b2530", opacity=0.35, filter="url(#blur6)")
    slice_of_bread(d, 320, 336, 1.34)
    shape = "M -84 6 C -92 -34 -60 -58 -30 -56 C 0 -74 40 -66 56 -54 C 88 -50 96 -20 84 14 C 70 46 40 52 0 52 C -50 54 -78 40 -84 6 Z"
    with d.group(transform="translate(320 326) scale(1.3 .76)"):
        d.path(shape, "#6f9440", transform="translate(0 8)")
        d.path(shape, d.linear([(0, "#cfe08a"), (0.5, "#a6c45a"), (1, "#7fa243")], 0, 0, 1, 1))
    for k in range(7):
        x, y = 236 + k * 26, 320 + (k % 2) * 8 - 10 * math.sin(k / 6 * math.pi)
        d.path(
            f"M {x - 18} {y + 16} Q {x + 2} {y - 38} {x + 40} {y - 22} Q {x + 14} {y - 14} {x + 2} {y + 24} Z",
            d.linear([(0, "#e7efae"), (0.7, "#b4cf66"), (1, "#5f8a3a")]),
        )
    for x, y in ((262, 346), (318, 350), (372, 344), (342, 316), (396, 318)):
        d.ellipse(x + 2, y + 3, 19, 11, "#3c5a22", opacity=0.4)
        d.ellipse(x, y, 19, 11, "#d6395a")
        d.ellipse(x, y - 1, 16.5, 9, "#fdf3f2")
    for u, v in scatter(30, 7):
        d.rect(
            320 + u * 100,
            328 + v * 34,
            6,
            3,
            "#d9482b",
            rx=1,
            transform=f"rotate({u * 180:.0f} {320 + u * 100:.0f} {328 + v * 34:.0f})",
        )
    for x, y, turn in ((290, 300, -30), (364, 334, 20), (242, 330, -80)):
        leaf(d, x, y, 26, turn, "#3f8a4b")


@picture("eggs-in-a-glass", "lamp")
def eggs(d: Drawing) -> None:
    saucer(d, 320, 398, 178, WHITE)
    for k, x in enumerate((458, 482)):
        with d.group(transform=f"translate({x - 12} {398 - k * 14}) rotate({-24 + k * 6})"):
            d.path("M -60 4 L 50 4 L 50 22 L -60 22 Z", "#a5652a")
            d.path("M -60 -12 L 50 -12 L 50 6 L -60 6 Z", d.linear([(0, "#fbe7bf"), (1, "#e0b878")]))
            d.line("M -60 -12 L 50 -12", "#b9742f", 4)
    with glass(
        d, [(0, "#fdf3dc"), (0.5, "#fbe3ae"), (1, "#f3c766")], top=214, rx=98, foot=82, height=168, level=44
    ) as o:
        for x, y, r in ((-38, -12, 50), (40, -4, 50)):
            d.ellipse(o.cx + x, o.cy + y + 6, r, r * 0.66, "#d9c090", opacity=0.6)
            d.ellipse(
                o.cx + x,
                o.cy + y,
                r,
                r * 0.68,
                d.radial([(0, "#ffffff"), (0.7, "#fdf6e8"), (1, "#e6d5b4")], 0.36, 0.3, 0.75),
            )
        d.path(
            f"M {o.cx + 8} {o.cy - 6} C {o.cx + 20} {o.cy - 34} {o.cx + 60} {o.cy - 30} {o.cx + 70} {o.cy - 8} C {o.cx + 66} {o.cy + 14} {o.cx + 54} {o.cy + 8} {o.cx + 50} {o.cy + 44} C {o.cx + 42} {o.cy + 56} {o.cx + 34} {o.cy + 40} {o.cx + 32} {o.cy + 14} Q {o.cx + 12} {o.cy + 8} {o.cx + 8} {o.cy - 6} Z",
            d.radial([(0, "#ffd257"), (0.6, "#f7a81f"), (1, "#dd8412")], 0.4, 0.25, 0.8),
        )
        d.line(f"M {o.cx + 24} {o.cy - 14} q 14 -10 28 -6", "#fff0b8", 5, opacity=0.8)
        for i, (u, v) in enumerate(scatter(32, 3)):
            px, py = o.cx + u * 72, o.cy - 10 + v * 26
            d.ellipse(
                px, py, 5, 2.4, "#3f8a4b" if i % 2 else "#6db76b", transform=f"rotate({i * 50} {px:.0f} {py:.0f})"
            )
    spoon(d, 160, 428, 90, -4)


@picture("porridge", "tide")
def porridge(d: Drawing) -> None:
    steam(d, 300, 236, 90)
    with bowl(d, CORAL, "#ecd9b4") as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, d.radial([(0, "#f7e9c9"), (1, "#dcc190")], 0.4, 0.4, 0.7))
        for i, (u, v) in enumerate(scatter(90, 6)):
            d.ellipse(o.cx + u * 132, o.cy + v * 50, 5, 2.6, "#cfae76" if i % 2 else "#fbf1da", opacity=0.7)
        for k in range(7):
            turn = -62 + k * 18
            with d.group(transform=f"translate({o.cx - 10} {o.cy + 34}) scale(1 .62) rotate({turn})"):
                d.path(
                    "M -16 -16 C -26 -60 -20 -96 0 -108 C 20 -96 26 -60 16 -16 Z",
                    d.linear([(0, "#fdf0bd"), (0.6, "#eec56a"), (1, "#c98a36")]),
                )
                d.line("M -17 -24 C -24 -62 -18 -94 0 -106 C 18 -94 24 -62 17 -24", "#b5372f", 5)
        for i, (x, y) in enumerate(((60, 16), (78, 4), (92, 20), (72, 26), (104, 6), (52, 30))):
            d.ellipse(o.cx + x, o.cy + y, 11, 8, d.ball_fill("#a9682f" if i % 2 else "#c68a4a"))
        for u, v in scatter(50, 2):
            d.circle(o.cx - 20 + u * 90, o.cy + v * 36, 1.5, "#8a4a1e", opacity=0.7)
    spoon(d, 506, 418, 96, 12)


@picture("cheese-toastie", "dusk")
def toastie(d: Drawing) -> None:
    plate(d, STONE)
    for dx, dy in ((70, -34), (-30, 10)):
        x, y = 300 + dx, 348 + dy
        d.ellipse(x + 24, y + 38, 128, 30, "#0b2530", opacity=0.4, filter="url(#blur6)")
        # The cut face: bread, cheese, bread; then the toasted top as a triangle.
        d.path(
            f"M {x - 128} {y - 4} L {x + 128} {y - 4} L {x + 122} {y + 44} L {x - 122} {y + 44} Z",
            d.vertical(
                [
                    (0, "#fbe8c2"),
                    (0.34, "#ecca8e"),
                    (0.36, "#f7b52d"),
                    (0.66, "#f6a91c"),
                    (0.68, "#fbe8c2"),
                    (1, "#dcb274"),
                ]
            ),
        )
        for k, drip in enumerate((10, 26, 14, 34, 12, 20)):
            px = x - 104 + k * 40
            d.path(
                f"M {px - 15} {y + 22} C {px - 12} {y + 28 + drip * 0.4} {px - 8} {y + 28 + drip} {px} {y + 28 + drip} C {px + 8} {y + 28 + drip} {px + 12} {y + 28 + drip * 0.4} {px + 15} {y + 22} Z",
                d.vertical([(0, "#f6a91c"), (1, "#fcc956")]),
            )
        d.path(
            f"M {x - 128} {y - 4} L {x + 128} {y - 4} L {x + 122} {y - 12} L {x + 30} {y - 84} Q {x} {y - 102} {x - 30} {y - 84} L {x - 124} {y - 12} Z",
            d.linear([(0, "#f0c078"), (0.5, "#cf8a3a"), (1, "#94541f")], 0.2, 0, 0.7, 1),
        )
        with d.clipped(
            f'<path d="M {x - 128} {y - 4} L {x + 128} {y - 4} L {x + 30} {y - 84} Q {x} {y - 102} {x - 30} {y - 84} Z"/>'
        ):
            for k in range(8):
                d.line(f"M {x - 150 + k * 44} {y + 4} L {x - 70 + k * 44} {y - 110}", "#6b3814", 8, opacity=0.38)
    leaf(d, 178, 396, 44, 30, "#6db76b")
    leaf(d, 180, 398, 40, 80, "#58a35d")


@picture("tomato-soup", "blush")
def tomato_soup(d: Drawing) -> None:
    steam(d, 300, 236, 90)
    slice_of_bread(d, 470, 398, 0.78, -8)
    with cup(
        d,
        NAVY,
        "#d9482b",
        cx=296,
        rx=150,
        top=268,
        height=112,
        foot=68,
        handle=False,
        belly=1,
        on_saucer=False,
        inside=WHITE,
    ) as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, d.radial([(0, "#ee6a3a"), (0.7, "#d9482b"), (1, "#b5331d")], 0.42, 0.4, 0.6))
        d.line(
            f"M {o.cx - 80} {o.cy - 6} C {o.cx - 40} {o.cy - 40} {o.cx + 40} {o.cy - 34} {o.cx + 66} {o.cy - 6} C {o.cx + 60} {o.cy + 26} {o.cx - 20} {o.cy + 30} {o.cx - 40} {o.cy + 8} C {o.cx - 30} {o.cy - 8} {o.cx} {o.cy - 10} {o.cx + 16} {o.cy}",
            "#fbe3b8",
            7,
            opacity=0.9,
        )
        for i, (u, v) in enumerate(scatter(15, 3)):
            d.ellipse(o.cx + u * 118, o.cy + v * 44, 6 + i % 4, 3 + i % 2, "#5f9a3c", opacity=0.85)
        leaf(d, o.cx + 4, o.cy - 2, 50, -24, "#3f8a4b")
        leaf(d, o.cx + 6, o.cy - 2, 44, 36, "#58a35d")
        leaf(d, o.cx + 4, o.cy - 2, 42, -150, "#4c9356")
