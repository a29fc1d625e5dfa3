"""Drinks over ice."""

from __future__ import annotations

from .garnish import LYING, bean, berry, citrus, ice, leaf, straw
from .kit import TILT, Drawing, picture, scatter
from .vessels import CORAL, TEAL, glass


def bubbles(d: Drawing, cx: float, top: float, bottom: float, half: float, count: int = 40) -> None:
    for i, (u, v) in enumerate(scatter(count, 6)):
        d.circle(
            cx + u * half,
            (top + bottom) / 2 + v * (bottom - top) / 2,
            1.5 + i % 3,
            "none",
            stroke="#ffffff",
            stroke_width=1.4,
            opacity=0.75,
        )


@picture("cold-brew", "lamp")
def cold_brew(d: Drawing) -> None:
    with glass(d, [(0, "#5a2c12"), (0.4, "#33170b"), (1, "#1b0b06")], top=136, rx=70, foot=62, height=248, level=34):
        for x, y, turn in ((290, 196, 14), (342, 206, -18), (312, 250, 32), (348, 288, 8)):
            ice(d, x, y, 50, turn, "#c98d52")
    for x, y, turn in ((170, 420, 20), (196, 434, 100), (206, 412, -30), (452, 432, 40)):
        bean(d, x, y, 24, turn)


@picture("iced-latte", "tide")
def iced_latte(d: Drawing) -> None:
    layers = [(0, "#6b3a1c"), (0.2, "#8a532b"), (0.4, "#c0905f"), (0.62, "#ecd8b8"), (1, "#fbf3e2")]
    with glass(d, layers, top=122, rx=76, foot=60, height=262, level=36):
        for k, (x, drop) in enumerate(((280, 70), (306, 120), (334, 92), (360, 60))):
            y = 216 + (k % 2) * 10
            d.path(
                f"M {x - 14} {y} C {x - 12} {y + drop * 0.5} {x + 6} {y + drop * 0.6} {x - 2} {y + drop} C {x + 16} {y + drop * 0.7} {x + 8} {y + drop * 0.3} {x + 16} {y} Z",
                "#7d4823",
                opacity=0.5,
                filter="url(#blur3)",
            )
        for x, y, turn in ((290, 178, 12), (346, 184, -20), (318, 226, 38)):
            ice(d, x, y, 50, turn, "#d9b284")
        straw(d, 352, 240, 398, 62, CORAL)


@picture("espresso-tonic", "blush")
def espresso_tonic(d: Drawing) -> None:
    layers = [(0, "#3a1c0e"), (0.2, "#5b2f16"), (0.31, "#b67f45"), (0.42, "#eee6cf"), (1, "#e3eee6")]
    with glass(d, layers, top=128, rx=72, foot=64, height=256, level=34):
        bubbles(d, 320, 250, 360, 50)
        for x, y, turn in ((294, 282, 14), (344, 300, -16), (306, 338, 30)):
            ice(d, x, y, 48, turn, "#d8e8e2")
        ice(d, 318, 186, 46, 20, "#a8703c")
    citrus(d, 398, 140, 44, "#f08a3c")
    citrus(d, 194, 424, 46, "#f08a3c", tilt=LYING)
    citrus(d, 170, 412, 46, "#f08a3c", tilt=LYING)


@picture("elderflower-fizz", "dusk")
def elderflower(d: Drawing) -> None:
    d.shadow(320, 404, 70)
    d.ellipse(320, 402, 78, 78 * TILT, "#ffffff", opacity=0.3)
    d.ellipse(320, 400, 74, 74 * TILT, "none", stroke="#ffffff", stroke_width=3, opacity=0.8)
    d.path("M 312 398 Q 318 350 314 310 L 326 310 Q 322 350 328 398 Z", "#ffffff", opacity=0.5)
    balloon = "M 232 130 C 214 240 250 314 320 318 C 390 314 426 240 408 130 A 88 33 0 0 0 232 130 Z"
    d.path(balloon, "#ffffff", opacity=0.16)
    with d.clipped(f'<path d="{balloon}"/>'):
        d.path(
            "M 200 172 A 120 36 0 0 0 440 172 L 440 308 Q 320 330 200 308 Z",
            d.vertical([(0, "#f6efb4"), (1, "#e0d685")]),
        )
        d.ellipse(320, 172, 95, 35, "#fbf6cd")
        bubbles(d, 320, 190, 306, 70, 60)
        for x, y, turn in ((284, 186, 14), (352, 190, -18), (318, 226, 34)):
            ice(d, x, y, 54, turn, "#fdf8d4")
        citrus(d, 376, 236, 36, turn=14)
    d.path(
        "M 232 130 C 214 240 250 314 320 318 C 390 314 426 240 408 130",
        "none",
        stroke="#ffffff",
        stroke_width=3,
        opacity=0.7,
    )
    d.ellipse(320, 130, 88, 33, "none", stroke="#ffffff", stroke_width=3, opacity=0.85)
    d.line("M 248 166 Q 242 224 268 268", "#ffffff", 8, opacity=0.55)
    leaf(d, 306, 150, 60, -120, "#58a35d")
    leaf(d, 304, 150, 56, -64, "#6db76b")
    for cx, cy, size in ((168, 396, 1.0), (206, 422, 0.8), (134, 424, 0.75)):
        for u, v in scatter(13, 2):
            px, py = cx + u * 34 * size, cy + v * 18 * size
            for k, (dx, dy) in enumerate(((-4, 0), (4, 0), (0, -3), (0, 3))):
                d.ellipse(px + dx, py + dy, 4, 3, "#fffbe8" if k % 2 else "#f6efd0")
            d.circle(px, py, 1.6, "#e8c95a")


@picture("berry-lemonade", "foam")
def berry_lemonade(d: Drawing) -> None:
    with glass(
        d,
        [(0, "#f58aa0"), (0.5, "#e75c7c"), (1, "#c23a5f")],
        top=150,
        rx=84,
        foot=78,
        height=234,
        level=34,
        handle=True,
    ):
        for x, y, turn in ((280, 210, 14), (352, 214, -18), (316, 258, 34), (362, 296, 10)):
            ice(d, x, y, 52, turn, "#ffc2cf")
        citrus(d, 290, 316, 40, turn=20)
        for x, y in ((346, 346), (318, 200), (366, 250), (276, 262)):
            berry(d, x, y, 14, "raspberry")
        straw(d, 340, 250, 300, 66, TEAL)
    leaf(d, 366, 164, 54, -60, "#58a35d")
    leaf(d, 364, 166, 50, -110, "#6db76b")
    for x, y in ((164, 420), (190, 432), (468, 428)):
        berry(d, x, y, 16, "raspberry")
