"""What comes out of the oven."""

from __future__ import annotations

import math

from .garnish import berry, crumbs, leaf
from .kit import TILT, Drawing, darker, lighter, picture, scatter
from .vessels import CORAL, NAVY, TEAL, WHITE, plate

CRUST, GOLD, HONEY = "#c9813a", "#e8b263", "#f3cd8b"


@picture("butter-croissant", "tide")
def croissant(d: Drawing) -> None:
    plate(d, WHITE, rim=TEAL)
    d.ellipse(334, 372, 140, 34, "#0b2530", opacity=0.32, filter="url(#blur6)")
    # Segments along an arc, from the tips to the middle, each over the one before.
    order = sorted(range(-5, 6), key=lambda k: -abs(k))
    for k in order:
        t = k / 5
        angle = t * 1.12
        x, y = 320 + 152 * math.sin(angle), 366 - 112 * math.cos(angle) * 0.92 + abs(t) * 8 + 34
        size = 1 - 0.62 * abs(t) ** 1.4
        turn = math.degrees(angle) * 0.86
        with d.group(transform=f"translate({x:.1f} {y:.1f}) rotate({turn:.1f}) scale({size:.3f})"):
            fill = d.linear([(0, "#f6d08a"), (0.3, "#e3a14d"), (0.72, "#bd6d2b"), (1, "#8a4518")], 0, 0, 0.25, 1)
            d.path(
                "M -40 -58 C -14 -84 22 -82 42 -54 C 54 -10 48 42 26 66 C 6 76 -20 74 -34 60 C -50 20 -52 -22 -40 -58 Z",
                fill,
            )
            for m in range(4):
                o = -26 + m * 15
                d.line(
                    f"M {o} -60 C {o + 12} -20 {o + 10} 24 {o - 2} 58",
                    "#7f3f16" if m % 2 else "#fbe0a8",
                    2.4,
                    opacity=0.38,
                )
            d.path("M -30 -52 C -10 -70 14 -70 30 -52 C 10 -60 -10 -58 -30 -52 Z", "#fff0c8", opacity=0.75)
    crumbs(d, [(196, 410), (222, 424), (430, 416), (404, 428), (452, 398)], GOLD)


@picture("pain-au-chocolat", "blush")
def pain_au_chocolat(d: Drawing) -> None:
    plate(d, NAVY)
    d.ellipse(336, 384, 142, 34, "#0b2530", opacity=0.4, filter="url(#blur6)")
    for side in (-1, 1):
        for dx, dy in ((0, -10), (0, 26)):
            d.ellipse(320 + side * 130 + dx, 336 + dy, 20, 15, d.ball_fill("#4a2413"))
            d.ellipse(320 + side * 138 + dx, 336 + dy, 10, 9, "#2c130a")
    loaf = "M 190 346 C 182 286 226 258 320 256 C 414 258 458 286 450 346 C 446 388 400 398 320 398 C 240 398 194 388 190 346 Z"
    d.path(loaf, d.linear([(0, "#f5cd86"), (0.35, "#e09c48"), (0.75, "#b76526"), (1, "#8a4518")], 0.2, 0, 0.5, 1))
    with d.clipped(f'<path d="{loaf}"/>'):
        for k in range(9):
            x = 200 + k * 30
            d.path(
                f"M {x} 400 C {x - 16} 340 {x - 6} 290 {x + 22} 250 L {x + 32} 250 C {x + 6} 300 {x - 2} 350 {x + 12} 400 Z",
                "#8f4a1b" if k % 2 else "#fde2ab",
                opacity=0.28,
            )
        d.ellipse(290, 274, 96, 17, "#fff2cc", opacity=0.55, filter="url(#blur6)")
    crumbs(d, [(160, 396), (190, 420), (476, 398), (452, 416)], GOLD)


@picture("cinnamon-swirl", "foam")
def cinnamon_swirl(d: Drawing) -> None:
    plate(d, CORAL)
    cx, top, rx = 320, 300, 124
    d.ellipse(cx + 20, 388, rx, 44, "#0b2530", opacity=0.42, filter="url(#blur6)")
    side = f"M {cx - rx} {top} C {cx - rx - 12} {top + 60} {cx - rx + 6} {top + 84} {cx - 70} {top + 98} Q {cx} {top + 112} {cx + 70} {top + 98} C {cx + rx - 6} {top + 84} {cx + rx + 12} {top + 60} {cx + rx} {top} Z"
    d.path(side, d.linear([(0, "#e0a25a"), (0.25, "#eebd7c"), (0.6, "#c07a36"), (1, "#8a4c1e")]))
    d.line(f"M {cx - rx + 4} {top + 40} Q {cx} {top + 104} {cx + rx - 4} {top + 34}", "#7a3d18", 9, opacity=0.7)
    d.ellipse(cx, top, rx, rx * 0.46, d.linear([(0, "#f6d394"), (0.5, "#e2a65a"), (1, "#b06c2e")], 0, 0, 1, 1))
    spiral = [(a / 5.4, 6 + a * 0.84) for a in range(100)]
    for width, colour, lift in ((10, "#7a3d18", 0), (4, "#f9e0ac", -9)):
        points = " L ".join(
            f"{cx + r * 1.22 * math.cos(a):.1f} {top + lift * 0.5 + r * 0.56 * math.sin(a):.1f}" for a, r in spiral
        )
        d.line(f"M {points}", colour, width, opacity=0.9 if lift == 0 else 0.7)
    for u, v in scatter(54, 4):
        d.rect(cx + u * 108, top + v * 46, 7, 5, "#ffffff", rx=2, opacity=0.95)


@picture("apple-strudel", "lamp")
def strudel(d: Drawing) -> None:
    plate(d, WHITE, rim=NAVY)
    d.path("M 216 396 L 474 326 L 500 356 L 300 426 Z", "#0b2530", opacity=0.4, filter="url(#blur6)")
    top = "M 196 326 C 206 268 330 236 424 250 C 470 258 474 300 470 330 L 300 402 C 240 404 196 372 196 326 Z"
    d.path(top, d.linear([(0, "#f5d59b"), (0.4, "#dda155"), (1, "#a8652c")], 0.2, 0, 0.7, 1))
    with d.clipped(f'<path d="{top}"/>'):
        for k in range(7):
            x = 250 + k * 34
            d.line(
                f"M {x} 410 C {x - 4} 340 {x + 6} 290 {x + 40} 236", "#8a4d20" if k % 2 else "#fdeac0", 3, opacity=0.4
            )
        for u, v in scatter(190, 9):
            d.ellipse(350 + u * 124, 282 + v * 44, 3.4, 2.0, "#ffffff", opacity=0.85)
        d.ellipse(352, 272, 100, 22, "#ffffff", opacity=0.45, filter="url(#blur6)")
    face = "M 194 330 C 190 294 224 280 256 290 C 296 302 306 344 300 378 C 296 404 268 410 238 400 C 208 390 196 366 194 330 Z"
    d.path(face, d.linear([(0, "#e2aa5f"), (1, "#a8652c")], 0, 0, 1, 1))
    d.path(face, "#f6dd9d", transform="translate(248 347) scale(.82) translate(-248 -347)")
    for i, (u, v) in enumerate(scatter(15, 3)):
        px, py = 248 + u * 34, 348 + v * 40
        if i % 5 == 0:
            d.ellipse(px, py, 8, 6, d.ball_fill("#59301f"))
        else:
            d.rect(
                px - 9,
                py - 7,
                18,
                13,
                d.linear([(0, "#fdf0bd"), (1, "#e0bb5e")], 0, 0, 0, 1),
                rx=5,
                transform=f"rotate({i * 37} {px:.0f} {py:.0f})",
            )
    d.line("M 236 306 C 276 306 288 344 282 376", "#b97a38", 4, opacity=0.8)
    leaf(d, 446, 386, 46, 24, "#58a35d")
    leaf(d, 448, 384, 42, -26, "#6db76b")


def wedge(d: Drawing, layers: list[tuple[float, str]], top_colour: str, glaze: str) -> None:
    """A slice of cake, its point towards us: `layers` are heights and colours from the top of the side downward."""
    tip, left, right = (196, 372), (352, 262), (478, 330)
    height = 84
    d.path(
        f"M {tip[0]} {tip[1] + height - 60} L {right[0] + 40} {right[1] + height} L {right[0]} {right[1] + 30} Z",
        "#0b2530",
        opacity=0.35,
        filter="url(#blur6)",
    )
    y = 0.0
    tipy, righty = tip[1] - 62, right[1] - 44
    for thick, colour in layers:
        side = d.linear([(0, lighter(colour, 0.1)), (1, darker(colour, 0.22))])
        d.path(
            f"M {tip[0]} {tipy + y} L {right[0]} {righty + y} L {right[0]} {righty + y + thick + 0.6} L {tip[0]} {tipy + y + thick + 0.6} Z",
            side,
        )
        y += thick
    lefty = left[1] - 38
    roof = f"M {tip[0]} {tipy} L {left[0]} {lefty} Q {left[0] + 96} {lefty + 10} {right[0]} {righty} Z"
    d.path(roof, d.linear([(0, lighter(top_colour, 0.3)), (0.6, top_colour), (1, darker(top_colour, 0.2))], 0, 0, 1, 1))
    d.line(f"M {tip[0] + 16} {tipy - 10} L {left[0] - 10} {lefty + 10}", "#ffffff", 5, opacity=0.3)
    d.line(f"M {tip[0]} {tipy} L {right[0]} {righty}", lighter(glaze, 0.35), 3, opacity=0.8)


@picture("chocolate-torte", "coral")
def chocolate_torte(d: Drawing) -> None:
    plate(d, WHITE, rim=CORAL)
    sponge = "#6e3a20"
    wedge(
        d,
        [(10, "#3a1c10"), (22, sponge), (7, "#f08a2c"), (24, sponge), (6, "#f08a2c"), (20, sponge), (5, "#3a1c10")],
        "#44210f",
        "#5a2c17",
    )
    d.ellipse(396, 254, 30, 13, "#34170b")
    d.ellipse(396, 249, 30, 13, d.ball_fill("#5a2c17"))
    d.path("M 384 244 q 12 -10 24 0 q -4 10 -12 12 q -9 -2 -12 -12 Z", "#f6b23f")
    crumbs(d, [(232, 416), (262, 430), (446, 420), (190, 402)], "#5a2c17")


@picture("lemon-tart", "dusk")
def lemon_tart(d: Drawing) -> None:
    plate(d, WHITE, rx=196, rim="#f3c14f")
    cx, cy, rx = 320, 326, 128
    d.ellipse(cx + 16, cy + 52, rx, rx * TILT, "#0b2530", opacity=0.4, filter="url(#blur6)")
    flutes = 34
    for k in range(flutes):
        a = math.pi * 2 * k / flutes
        x, y = cx + rx * math.cos(a), cy + rx * TILT * math.sin(a)
        if math.sin(a) > -0.35:
            d.path(
                f"M {x - 14:.1f} {y:.1f} L {cx + (x - cx) * 0.84 - 10:.1f} {y + 40:.1f} L {cx + (x - cx) * 0.84 + 10:.1f} {y + 40:.1f} L {x + 14:.1f} {y:.1f} Z",
                d.linear([(0, "#f0c47c"), (0.5, "#d99a4c"), (1, "#a5652a")]),
            )
    for k in range(flutes):
        a = math.pi * 2 * k / flutes
        d.ellipse(cx + rx * math.cos(a), cy + rx * TILT * math.sin(a), 13, 8, d.ball_fill("#e9b768"))
    d.ellipse(cx, cy, rx - 8, (rx - 8) * TILT, "#b9762f")
    d.ellipse(
        cx, cy + 3, rx - 13, (rx - 13) * TILT, d.linear([(0, "#ffe680"), (0.5, "#f8cf3a"), (1, "#eab52a")], 0, 0, 1, 1)
    )
    d.line(f"M {cx - 92} {cy - 6} Q {cx - 74} {cy - 32} {cx - 24} {cy - 37}", "#ffffff", 6, opacity=0.7)
    for k, (dx, dy, r) in enumerate(((-34, -4, 26), (34, -2, 26), (0, 14, 28), (0, -18, 24))):
        x, y = cx + dx, cy + dy - 6
        d.path(
            f"M {x - r} {y} Q {x - r} {y - r * 0.9} {x} {y - r * 1.9} Q {x + r} {y - r * 0.9} {x + r} {y} A {r} {r * 0.5} 0 0 1 {x - r} {y} Z",
            d.linear([(0, "#fffdf7"), (0.6, "#f7ead0"), (1, "#d9c19a")]),
        )
        d.path(
            f"M {x - r * 0.34} {y - r * 1.2} Q {x} {y - r * 1.5} {x} {y - r * 1.9} Q {x + r * 0.2} {y - r * 1.5} {x + r * 0.4} {y - r * 1.1} Q {x} {y - r * 0.8} {x - r * 0.34} {y - r * 1.2} Z",
            "#b9722e",
            opacity=0.75 - 0.1 * (k % 2),
        )
        d.line(f"M {x - r * 0.75} {y - r * 0.1} q {r * 0.5} {r * 0.4} {r * 1.1} {r * 0.15}", "#cfae7a", 3, opacity=0.7)


@picture("banana-bread", "tide")
def banana_bread(d: Drawing) -> None:
    plate(d, "#f3c14f")
    d.ellipse(344, 394, 146, 34, "#0b2530", opacity=0.4, filter="url(#blur6)")
    outline = "M 208 392 L 204 268 C 186 244 206 206 250 206 C 280 184 352 184 382 206 C 428 206 446 244 428 268 L 424 392 Q 316 408 208 392 Z"
    d.path(outline, d.linear([(0, "#9a5a26"), (1, "#6b3814")]), transform="translate(34 -16)")
    d.path(outline, "#a9662c")
    d.path(
        outline,
        d.linear([(0, "#f0cd8c"), (0.6, "#dcae66"), (1, "#c38f4a")], 0, 0, 1, 1),
        transform="translate(316 300) scale(.925) translate(-316 -302)",
    )
    for i, (u, v) in enumerate(scatter(64, 7)):
        x, y = 316 + u * 92, 310 + v * 78
        if i % 9 == 4:
            d.path(f"M {x - 11:.0f} {y:.0f} q 4 -12 12 -9 q 12 2 9 11 q -8 9 -21 -2 Z", "#8a5224")
        else:
            d.ellipse(x, y, 2 + i % 3, 1.4 + i % 2, "#9c6b33", opacity=0.65)
    with d.group(transform="translate(318 222) rotate(-3)"):
        d.path(
            "M -92 18 C -60 -22 60 -26 96 10 C 70 30 -50 38 -92 18 Z",
            d.vertical([(0, "#fff0b8"), (0.6, "#f6d574"), (1, "#c88a2e")]),
        )
        for k in range(7):
            d.ellipse(-62 + k * 21, 8 - math.sin(k / 6 * math.pi) * 6, 4, 2.4, "#8a5a20")
        d.line("M -76 10 C -40 -14 40 -18 78 4", "#ffffff", 4, opacity=0.6)


@picture("blueberry-muffin", "blush")
def muffin(d: Drawing) -> None:
    plate(d, TEAL, rx=180)
    d.ellipse(336, 392, 92, 26, "#0b2530", opacity=0.45, filter="url(#blur6)")
    case = "M 226 286 L 252 388 A 68 24 0 0 0 388 388 L 414 286 Z"
    d.path(case, d.round_fill("#fbf3e2"))
    for k in range(11):
        x = 236 + k * 16.8
        d.line(f"M {x} 292 L {262 + k * 11.6} {402 + 8 * math.sin(k / 10 * math.pi)}", "#c9b48f", 3, opacity=0.8)
    dome = "M 208 294 C 190 252 226 198 276 186 C 304 168 350 170 372 188 C 424 200 450 254 432 294 C 420 322 372 316 356 324 C 330 314 300 330 280 318 C 252 326 218 318 208 294 Z"
    d.path(dome, d.radial([(0, "#fbdd9c"), (0.5, "#e3a950"), (1, "#a8622a")], 0.38, 0.24, 0.8))
    for u, v in scatter(60, 5):
        x, y = 316 + u * 88, 232 + v * 46
        d.rect(
            x,
            y,
            11,
            8,
            d.linear([(0, "#fdecc2"), (1, "#d9a862")], 0, 0, 1, 1),
            rx=3,
            transform=f"rotate({u * 90:.0f} {x:.0f} {y:.0f})",
            opacity=0.9,
        )
    for x, y, r in (
        (262, 250, 15),
        (316, 222, 16),
        (372, 252, 15),
        (300, 286, 14),
        (350, 292, 15),
        (404, 284, 11),
        (236, 290, 11),
        (340, 196, 11),
    ):
        d.ellipse(x + 3, y + 7, r * 1.1, r * 0.8, "#5b2d6b", opacity=0.35, filter="url(#blur3)")
        berry(d, x, y, r)
    for x, y in ((152, 400), (178, 416), (470, 404)):
        berry(d, x, y, 15)


@picture("sea-salt-cookie", "lamp")
def cookies(d: Drawing) -> None:
    plate(d, NAVY)
    for cx, cy, rx, seed in ((252, 356, 104, 2), (384, 334, 108, 6)):
        d.ellipse(cx + 14, cy + 16, rx, rx * 0.46, "#0b2530", opacity=0.45, filter="url(#blur6)")
        d.ellipse(cx, cy + 13, rx, rx * 0.46, "#8a5020")
        wobble = " ".join(
            f"{cx + rx * (1 + 0.03 * math.sin(5 * a + seed)) * math.cos(a):.1f},{cy + rx * 0.45 * (1 + 0.04 * math.sin(7 * a + seed)) * math.sin(a):.1f}"
            for a in (k * math.pi / 24 for k in range(48))
        )
        d.add(
            f'<polygon points="{wobble}" fill="{d.radial([(0, "#efbd72"), (0.6, "#d8964a"), (1, "#a8642a")], 0.4, 0.3, 0.7)}" stroke="#b47433" stroke-width="3" stroke-linejoin="round"/>'
        )
        for u, v in scatter(26, seed + 3):
            d.line(f"M {cx + u * rx * 0.8:.0f} {cy + v * rx * 0.34:.0f} q 9 3 15 -3", "#9a5c26", 2, opacity=0.6)
        for i, (u, v) in enumerate(scatter(11, seed)):
            x, y = cx + u * rx * 0.8, cy + v * rx * 0.34
            d.path(
                f"M {x - 13:.0f} {y:.0f} l 8 -10 l 16 2 l 4 9 l -10 8 l -14 -1 Z",
                d.linear([(0, "#6a3a20"), (1, "#2c130a")], 0, 0, 0.4, 1),
                transform=f"rotate({i * 47} {x:.0f} {y:.0f})",
            )
        for u, v in scatter(20, seed + 8):
            d.rect(
                cx + u * rx * 0.7,
                cy + v * rx * 0.3,
                5,
                4,
                "#ffffff",
                rx=1,
                opacity=0.95,
                transform=f"rotate(20 {cx} {cy})",
            )
    crumbs(d, [(180, 412), (330, 424), (474, 396)], GOLD)
