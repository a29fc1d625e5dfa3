"""Coffee, tea and other warm cups."""

from __future__ import annotations

from .garnish import LYING, bean, citrus, cream, crema, dust, fern, foam, heart, leaf, stick
from .kit import Drawing, darker, lighter, picture, scatter
from .vessels import BUTTER, CORAL, NAVY, STONE, TEAL, WHITE, cup, glass, saucer, spoon, steam

ESPRESSO, LATTE, CARAMEL = "#3a2015", "#c58e5c", "#b9793f"


@picture("espresso", "blush")
def espresso(d: Drawing) -> None:
    steam(d, 320, 250, 110)
    with cup(d, WHITE, ESPRESSO, rx=82, top=272, height=96, foot=46) as o:
        crema(d, o, "#a8662f")
        d.ellipse(o.cx + 8, o.cy + 3, o.rx * 0.55, o.ry * 0.5, "#7c431d", opacity=0.75)
    spoon(d, 172, 424, 104, -8)
    for x, y, turn in ((470, 424, 20), (498, 410, 100), (506, 430, -30)):
        bean(d, x, y, 22, turn)


@picture("melange", "lamp")
def melange(d: Drawing) -> None:
    steam(d, 320, 214)
    with cup(d, TEAL, LATTE, rx=118, top=238, height=122, foot=56) as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, CARAMEL)
        d.ellipse(o.cx - 3, o.cy - 2, o.rx * 0.9, o.ry * 0.88, "#f6e7cb")
        foam_at = o.__class__(o.cx - 3, o.cy - 1, o.rx * 0.86)
        foam(d, foam_at, 8)
    spoon(d, 150, 414, 110, -6)


@picture("flat-white", "tide")
def flat_white(d: Drawing) -> None:
    with cup(d, CORAL, "#b1733f", rx=132, top=226, height=132, foot=62) as o:
        crema(d, o, "#b1733f")
        fern(d, o)


@picture("cappuccino", "foam")
def cappuccino(d: Drawing) -> None:
    steam(d, 320, 208)
    with cup(d, CORAL, "#a8662f", rx=116, top=240, height=122, foot=56) as o:
        crema(d, o, "#a8662f")
        foam(d, o.__class__(o.cx, o.cy, o.rx * 0.9), 10)
        dust(d, o, "#6b3a1d", 110, 0.62)


@picture("caffe-latte", "coral")
def caffe_latte(d: Drawing) -> None:
    layers = [
        (0.0, "#fbf1df"),
        (0.14, "#f6e6cc"),
        (0.17, "#b57b47"),
        (0.3, "#bf8a58"),
        (0.62, "#e2c29a"),
        (1.0, "#f3e3cb"),
    ]
    with glass(d, layers, top=118, rx=78, foot=58, height=262, level=20) as o:
        heart(d, o, "#fffaf0")
        d.ellipse(o.cx, o.cy, o.rx, o.ry, "none", stroke="#c58e5c", stroke_width=5, opacity=0.55)
    spoon(d, 154, 420, 120, -10)


@picture("oat-latte", "blush")
def oat_latte(d: Drawing) -> None:
    steam(d, 300, 200, 110)
    with cup(
        d, STONE, "#bd8652", cx=300, rx=112, top=228, height=146, foot=76, handle=False, belly=0.7, on_saucer=False
    ) as o:
        crema(d, o, "#bd8652")
        heart(d, o)
    for u, v in scatter(46, 2):
        d.circle(300 + u * 92, 318 + v * 40, 1.7, "#8d7c62", opacity=0.45)
    for i, turn in enumerate((-8, 8)):
        x, y = 420 + i * 26, 408 - i * 14
        with d.group(transform=f"translate({x} {y}) rotate({turn - 18})"):
            d.line("M -30 6 L 130 6", "#0b2530", 5, opacity=0.2, filter="url(#blur3)")
            d.line("M -40 0 L 120 0", "#b98f3e", 4)
            for k in range(6):
                leaf(d, 30 + k * 16, 0, 30, -34, "#d9ab4c")
                leaf(d, 30 + k * 16, 0, 30, 34, "#cf9d3d")


@picture("einspaenner", "dusk")
def einspaenner(d: Drawing) -> None:
    saucer(d, 320, 396, 150, WHITE)
    with glass(
        d,
        [(0, "#5a3018"), (0.3, "#3a1d10"), (1, "#1f0f09")],
        top=226,
        rx=76,
        foot=54,
        height=160,
        level=26,
        handle=True,
    ) as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, "#e9d9bd")
    cream(d, 320, 232, 71, 4)
    dust(d, o.__class__(316, 196, 50), "#6b3a1d", 30, 0.8, 10)


@picture("filter", "foam")
def filter_coffee(d: Drawing) -> None:
    steam(d, 330, 120, 70)
    with glass(
        d, [(0, "#7a3f1c"), (0.5, "#55280f"), (1, "#381808")], top=250, rx=62, foot=104, height=134, level=34, wall=6
    ):
        pass
    d.path("M 258 246 L 264 226 L 376 226 L 382 246 A 62 22 0 0 1 258 246 Z", d.round_fill("#a8713f"))
    d.line("M 262 238 Q 320 262 378 238", "#5b3a1e", 4)
    d.circle(320, 252, 7, d.ball_fill("#e9c48d"))
    d.path("M 222 118 L 300 222 L 340 222 L 418 118 Z", d.linear([(0, "#fffdf6"), (0.5, "#efe5d2"), (1, "#c8bba3")]))
    d.ellipse(320, 118, 98, 36, "#fbf6ea")
    d.ellipse(320, 120, 88, 31, d.linear([(0, "#b9ac95"), (1, "#efe6d5")]))
    with d.clipped('<ellipse cx="320" cy="120" rx="88" ry="31"/>'):
        d.ellipse(320, 136, 78, 27, "#4a2714")
        d.ellipse(312, 134, 50, 16, "#6a3a1c")
    d.line("M 320 224 L 320 262", "#7a3f1c", 4)
    for x, y, turn in ((150, 420, 20), (184, 430, 100), (170, 408, -30), (474, 424, 40)):
        bean(d, x, y, 24, turn)


@picture("mocha", "blush")
def mocha(d: Drawing) -> None:
    with cup(d, NAVY, "#4f2a18", rx=112, top=250, height=118, foot=56) as o:
        crema(d, o, "#5f3520")
    cream(d, 316, 250, 78, 3)
    for i, (u, v) in enumerate(scatter(26, 4)):
        with d.group(transform=f"translate({316 + u * 60:.0f} {222 + v * 34:.0f}) rotate({i * 53 % 180})"):
            d.path("M -9 -2 Q 0 -7 9 -2 L 8 2 Q 0 -2 -8 2 Z", "#4a2413")
    with d.group(transform="translate(500 418) rotate(-12)"):
        d.rect(-34, 6, 72, 22, "#0b2530", opacity=0.25, filter="url(#blur3)")
        d.path("M -36 -8 L 20 -18 L 40 0 L -16 12 Z", "#5b2e19")
        d.path("M -16 12 L 40 0 L 40 10 L -16 22 Z", "#3a1b0e")
        d.path("M -36 -8 L -16 12 L -16 22 L -36 2 Z", "#47220f")


@picture("earl-grey", "lamp")
def earl_grey(d: Drawing) -> None:
    d.shadow(218, 390, 120, 34)
    d.line("M 132 262 C 70 250 70 356 140 344", darker(NAVY, 0.25), 20)
    d.line("M 132 262 C 74 252 74 350 140 340", NAVY, 13)
    d.path("M 300 330 C 344 318 336 268 366 250 L 384 262 C 364 288 366 356 300 366 Z", d.round_fill(NAVY))
    d.ellipse(
        218, 312, 108, 86, d.radial([(0, lighter(NAVY, 0.45)), (0.4, NAVY), (1, darker(NAVY, 0.5))], 0.32, 0.22, 0.8)
    )
    d.ellipse(218, 388, 60, 13, darker(NAVY, 0.5))
    d.ellipse(218, 238, 58, 20, darker(NAVY, 0.35))
    d.ellipse(218, 232, 56, 19, d.round_fill(lighter(NAVY, 0.06)))
    d.path("M 166 232 A 54 44 0 0 1 270 232 A 54 16 0 0 1 166 232 Z", d.round_fill(NAVY))
    d.circle(218, 182, 13, d.ball_fill(BUTTER))
    d.line("M 150 270 Q 132 306 148 344", "#ffffff", 8, opacity=0.35)
    steam(d, 462, 268, 90)
    with cup(d, WHITE, "#b5601e", cx=452, top=300, rx=82, height=78, foot=40) as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, d.radial([(0, "#c9742a"), (1, "#9c4c14")]))
        citrus(d, o.cx - 12, o.cy, 44, tilt=LYING)


@picture("garden-mint", "tide")
def garden_mint(d: Drawing) -> None:
    steam(d, 320, 130, 80)
    with glass(d, [(0, "#dbe8b8"), (1, "#a9c877")], top=130, rx=78, foot=62, height=248, level=24, handle=True) as o:
        for i, (x, y, turn) in enumerate(
            (
                (288, 330, -70),
                (338, 344, -110),
                (306, 280, -40),
                (344, 286, -140),
                (290, 226, -80),
                (346, 226, -60),
                (316, 246, -100),
            )
        ):
            leaf(d, x, y, 66, turn, "#4c9356" if i % 2 else "#62aa62")
        d.line("M 320 366 C 310 320 330 260 318 180", "#3e7d48", 4, opacity=0.8)
        leaf(d, 322, 166, 62, -150, "#58a35d")
        leaf(d, 318, 168, 62, -28, "#4c9356")
        leaf(d, 320, 166, 56, -88, "#6db76b")
        d.ellipse(o.cx, o.cy, o.rx, o.ry, "#ffffff", opacity=0.12)


@picture("masala-chai", "coral")
def masala_chai(d: Drawing) -> None:
    steam(d, 310, 216)
    with cup(d, WHITE, "#c08a56", cx=306, rx=112, top=244, height=122, foot=54) as o:
        crema(d, o, "#c48f5b")
        dust(d, o, "#8a4a1e", 70, 0.5, 2)
        with d.group(transform=f"translate({o.cx - 10} {o.cy}) scale(1 {LYING * 1.3})"):
            for i in range(8):
                leaf(d, 0, 0, 40, i * 45 + 10, "#7b4322")
            d.circle(0, 0, 8, "#4f2912")
    stick(d, 424, 438, 534, 404, "#a0602f", 22)
    stick(d, 436, 452, 552, 424, "#8c5026", 22)
    for x, y in ((486, 396), (172, 432), (150, 424)):
        d.ellipse(x, y, 10, 6, d.ball_fill("#8fa86a"))


@picture("matcha-latte", "blush")
def matcha(d: Drawing) -> None:
    with cup(
        d, NAVY, "#8fb250", cx=296, rx=136, top=252, height=122, foot=64, handle=False, belly=0.95, on_saucer=False
    ) as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, d.radial([(0, "#a9c763"), (0.7, "#8fb250"), (1, "#b9d283")]))
        heart(d, o, "#eef3d6")
    d.shadow(494, 410, 40, 18)
    with d.group(transform="translate(494 398)"):
        d.path("M -15 -92 L 15 -92 L 17 -30 L -17 -30 Z", d.round_fill("#dcb877"))
        for k in range(11):
            x = -17 + k * 3.4
            d.line(f"M {x} -32 Q {x * 2.3} -10 {x * 1.9} 10", "#e9cc92" if k % 2 else "#c79f5c", 3)
        d.line("M -17 -34 L 17 -34", "#7a3b3b", 5)


@picture("hot-chocolate", "foam")
def hot_chocolate(d: Drawing) -> None:
    steam(d, 306, 190, 90)
    with cup(d, BUTTER, "#4a2413", cx=300, rx=104, top=222, height=152, foot=84, belly=0.55, on_saucer=False) as o:
        d.ellipse(o.cx, o.cy, o.rx, o.ry, d.radial([(0, "#6a3a20"), (1, "#3f1e10")]))
        for x, y, turn in ((-30, -10, -12), (26, 2, 16)):
            with d.group(transform=f"translate({o.cx + x} {o.cy + y}) rotate({turn})"):
                d.rect(-27, -14, 54, 34, d.linear([(0, "#ffffff"), (1, "#e4d3bf")]), rx=12)
                d.ellipse(0, -13, 27, 12, "#fffaf2")
                d.ellipse(2, -13, 19, 8, "#d49c5c", opacity=0.75)
                d.ellipse(6, -12, 8, 4, "#9a5f2c", opacity=0.7)
