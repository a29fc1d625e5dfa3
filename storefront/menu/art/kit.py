"""The pen, the palette and the light that all pictures share.

Everything is seen from the same height (circles become ellipses, flattened by `TILT`), lit from the upper left, and stands
on a round table in front of a large pale disc. Keep to that, and a new picture belongs to the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

WIDTH, HEIGHT = 640, 480
TILT = 0.38
TABLE_Y = 382  # where things stand: the y of the middle of their foot

# backdrop, disc, table
BACKDROPS = {
    "foam": ("#cfe0d8", "#e6f0ea", "#b4cdc2"),
    "lamp": ("#f5c860", "#fadd95", "#e9b03f"),
    "blush": ("#f3c3ab", "#f9dccb", "#e6a68a"),
    "tide": ("#2c7478", "#41908f", "#1f5c62"),
    "dusk": ("#174650", "#23606a", "#0f3640"),
    "coral": ("#e9714e", "#f29272", "#d45a39"),
}

Stops = Sequence[tuple[float, str] | tuple[float, str, float]]
Picture = Callable[["Drawing"], None]
PICTURES: dict[str, tuple[str, Picture]] = {}


def picture(product_id: str, backdrop: str) -> Callable[[Picture], Picture]:
    """Register the decorated function as the picture of a product, in front of a backdrop."""

    def register(draw: Picture) -> Picture:
        PICTURES[product_id] = (backdrop, draw)
        return draw

    return register


def mix(a: str, b: str, t: float) -> str:
    """The colour a part `t` of the way from `a` to `b`."""
    pairs = [(int(a[i : i + 2], 16), int(b[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(x + (y - x) * t):02x}" for x, y in pairs)


def lighter(colour: str, t: float) -> str:
    return mix(colour, "#fff8ec", t)


def darker(colour: str, t: float) -> str:
    return mix(colour, "#10222c", t)


def scatter(count: int, seed: int) -> Iterator[tuple[float, float]]:
    """Points in the unit circle that look strewn but are the same every time (a sunflower with a wobble)."""
    for i in range(count):
        angle = i * 2.39996 + seed
        radius = math.sqrt((i + 0.5) / count) * (0.94 + 0.06 * math.sin(i * 7 + seed))
        yield radius * math.cos(angle), radius * math.sin(angle)


class Drawing:
    """An SVG being written: shapes in the order they are drawn, gradients and clips made on the way."""

    def __init__(self) -> None:
        self.defs: list[str] = [
            f'<filter id="blur{n}" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="{n}"/></filter>'
            for n in (3, 6, 14)
        ]
        self.body: list[str] = []
        self._count = 0

    def _name(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def add(self, markup: str) -> None:
        self.body.append(markup)

    def _shape(self, tag: str, fill: str, attributes: dict[str, object]) -> None:
        given = {"fill": fill} | {key.replace("_", "-"): value for key, value in attributes.items()}
        self.add(f"<{tag} " + " ".join(f'{key}="{value}"' for key, value in given.items()) + "/>")

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, fill: str, **attributes: object) -> None:
        self._shape(
            "ellipse", fill, {"cx": f"{cx:.1f}", "cy": f"{cy:.1f}", "rx": f"{rx:.1f}", "ry": f"{ry:.1f}"} | attributes
        )

    def circle(self, cx: float, cy: float, r: float, fill: str, **attributes: object) -> None:
        self.ellipse(cx, cy, r, r, fill, **attributes)

    def path(self, d: str, fill: str = "none", **attributes: object) -> None:
        self._shape("path", fill, {"d": d} | attributes)

    def line(self, d: str, colour: str, width: float, **attributes: object) -> None:
        self.path(
            d, "none", stroke=colour, stroke_width=width, stroke_linecap="round", stroke_linejoin="round", **attributes
        )

    def rect(self, x: float, y: float, w: float, h: float, fill: str, **attributes: object) -> None:
        self._shape(
            "rect", fill, {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{w:.1f}", "height": f"{h:.1f}"} | attributes
        )

    def _stops(self, stops: Stops) -> str:
        return "".join(
            f'<stop offset="{s[0]}" stop-color="{s[1]}"' + (f' stop-opacity="{s[2]}"' if len(s) == 3 else "") + "/>"
            for s in stops
        )

    def linear(self, stops: Stops, x1: float = 0, y1: float = 0, x2: float = 1, y2: float = 0) -> str:
        name = self._name()
        self.defs.append(
            f'<linearGradient id="{name}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}">{self._stops(stops)}</linearGradient>'
        )
        return f"url(#{name})"

    def vertical(self, stops: Stops) -> str:
        return self.linear(stops, 0, 0, 0, 1)

    def radial(self, stops: Stops, cx: float = 0.5, cy: float = 0.5, r: float = 0.6) -> str:
        name = self._name()
        self.defs.append(
            f'<radialGradient id="{name}" cx="{cx}" cy="{cy}" r="{r}">{self._stops(stops)}</radialGradient>'
        )
        return f"url(#{name})"

    def round_fill(self, colour: str) -> str:
        """The fill of anything round and upright: lit on the left, dark on the right, a little bounce at the edge."""
        return self.linear(
            [
                (0, lighter(colour, 0.12)),
                (0.22, lighter(colour, 0.42)),
                (0.5, colour),
                (0.88, darker(colour, 0.32)),
                (1, darker(colour, 0.2)),
            ]
        )

    def ball_fill(self, colour: str) -> str:
        return self.radial([(0, lighter(colour, 0.45)), (0.45, colour), (1, darker(colour, 0.4))], 0.36, 0.3, 0.75)

    @contextmanager
    def group(self, **attributes: object) -> Iterator[None]:
        self.add("<g " + " ".join(f'{key.replace("_", "-")}="{value}"' for key, value in attributes.items()) + ">")
        yield
        self.add("</g>")

    @contextmanager
    def clipped(self, shape: str) -> Iterator[None]:
        """Draw only inside `shape` (the markup of one element)."""
        name = self._name()
        self.defs.append(f'<clipPath id="{name}">{shape}</clipPath>')
        with self.group(clip_path=f"url(#{name})"):
            yield

    @contextmanager
    def surface(self, cx: float, cy: float, rx: float, tilt: float = TILT, turn: float = 0) -> Iterator[None]:
        """Draw on a level disc as if from above: 100 units are its radius, then it is laid flat."""
        with self.group(transform=f"translate({cx} {cy}) scale({rx / 100:.4f} {rx * tilt / 100:.4f}) rotate({turn})"):
            yield

    def shadow(self, cx: float, cy: float, rx: float, ry: float | None = None, strength: float = 0.34) -> None:
        """What the light from the upper left leaves behind a thing on the table: a dark touch and a long soft one."""
        ry = ry if ry is not None else rx * TILT
        self.ellipse(
            cx + rx * 0.28,
            cy + ry * 0.22,
            rx * 1.12,
            ry * 0.98,
            "#0b2530",
            opacity=strength * 0.75,
            filter="url(#blur14)",
        )
        self.ellipse(
            cx + rx * 0.06, cy + ry * 0.12, rx * 1.02, ry * 1.02, "#0b2530", opacity=strength, filter="url(#blur6)"
        )

    def scene(self, backdrop: str) -> None:
        wall, disc, table = BACKDROPS[backdrop]
        self.rect(0, 0, WIDTH, HEIGHT, wall)
        self.rect(0, 0, WIDTH, HEIGHT, self.radial([(0, lighter(wall, 0.35), 0.9), (1, wall, 0)], 0.15, 0.05, 0.9))
        self.circle(320, 206, 176, self.linear([(0, lighter(disc, 0.25)), (1, disc)], 0, 0, 1, 1))
        self.ellipse(320, 600, 560, 284, darker(table, 0.22))
        self.ellipse(
            320,
            594,
            560,
            282,
            self.radial([(0, lighter(table, 0.3)), (0.55, table), (1, darker(table, 0.08))], 0.4, 0.12, 0.75),
        )
        self.ellipse(320, 594, 559, 281, "none", stroke=lighter(table, 0.6), stroke_width=2, opacity=0.55)

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
            f"<defs>{''.join(self.defs)}</defs>{''.join(self.body)}</svg>"
        )
