"""What can be said of a picture without understanding it: which colours it has, how bright it is, and its shape."""

from __future__ import annotations

import colorsys
import io
from collections import Counter
from dataclasses import dataclass

from PIL import Image

# Rekognition takes these two formats.
FORMATS = ("JPEG", "PNG")
_SIDE = 64
"""Counted on a small copy: the same picture gives the same shares whatever its size."""

# The last hue (in degrees) of each name, around the circle of colours.
_HUES = ((14, "red"), (40, "orange"), (66, "yellow"), (165, "green"), (195, "cyan"), (255, "blue"), (285, "purple"),
         (325, "magenta"), (345, "pink"), (360, "red"))  # fmt: skip
_SIMPLE = {"cyan": "blue", "magenta": "pink"}
"""Names that Rekognition's simplified colours do not have."""


class NoPictureError(Exception):
    """These bytes are no JPEG or PNG picture, or one that is cut short."""


@dataclass(frozen=True)
class Colour:
    """A colour of a picture: its name, how much of the picture has it (0 to 1), and the average of those points."""

    name: str
    share: float
    rgb: tuple[int, int, int]

    @property
    def simplified(self) -> str:
        """The name that Rekognition would use."""
        return _SIMPLE.get(self.name, self.name)


@dataclass(frozen=True)
class Look:
    """A picture, counted.

    Attributes:
        brightness, contrast: 0 to 100.
        colours: The largest share first.
    """

    width: int
    height: int
    brightness: float
    contrast: float
    colours: tuple[Colour, ...]

    def share(self, name: str) -> float:
        """How much of the picture has a colour, 0 to 1."""
        return next((colour.share for colour in self.colours if colour.name == name), 0.0)


def look_at(data: bytes) -> Look:
    """Count a picture.

    Raises:
        NoPictureError: It is no JPEG or PNG, or it is cut short.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            picture.draft("RGB", (_SIDE, _SIDE))
            small = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPictureError(str(error)) from error
    raw = small.tobytes()
    points = list(zip(raw[0::3], raw[1::3], raw[2::3], strict=True))
    lights = [sum(point) / 7.65 for point in points]
    middle = sum(lights) / len(lights)
    spread = (sum((light - middle) ** 2 for light in lights) / len(lights)) ** 0.5
    return Look(width, height, middle, min(100.0, spread * 2), _colours(points))


def _colours(points: list[tuple[int, int, int]]) -> tuple[Colour, ...]:
    named = [(colour_of(point), point) for point in points]
    counted = Counter(name for name, _ in named)
    found = []
    for name, number in counted.most_common():
        own = [point for other, point in named if other == name]
        average = tuple(round(sum(values) / number) for values in zip(*own, strict=True))
        found.append(Colour(name, number / len(points), (average[0], average[1], average[2])))
    return tuple(found)


def colour_of(point: tuple[int, int, int]) -> str:
    """The name of a colour: `brown` is a dark orange, `pink` a pale red."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in point))
    if value < 0.2:
        return "black"
    if saturation < 0.12:
        return "white" if value > 0.85 else "grey"
    name = next(name for last, name in _HUES if hue * 360 <= last)
    if name in {"red", "orange"} and value < 0.72:
        return "brown"
    if name == "red" and saturation < 0.5:
        return "pink"
    if name == "magenta" and (saturation < 0.7 or value < 0.7):
        return "purple" if value < 0.7 else "pink"
    return name
