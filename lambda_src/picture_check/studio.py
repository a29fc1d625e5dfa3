"""Opens pictures and makes smaller ones, with Pillow."""

import io

from PIL import Image, ImageOps

from picture_check.checking import MAX_SIDE, NoPictureError, Prepared

FORMATS = ("JPEG", "PNG", "WEBP")
THUMBNAIL = (480, 360)
FOR_REKOGNITION = (1600, 1600)
"""Rekognition takes JPEG and PNG of up to 5 MB, and sees no more in a larger one."""


class PillowStudio:
    """Implements `Studio`.

    The size is read from the picture's head before anything is decoded: a file of some kilobytes can unfold into
    gigabytes. What is sent on and shown is made anew from the pixels, so nothing that a camera wrote beside them, such
    as a place, goes along.
    """

    def prepare(self, data: bytes) -> Prepared:
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                width, height = opened.size
                if not max(width, height) <= MAX_SIDE:
                    raise NoPictureError(
                        f"A picture has at most {MAX_SIDE} pixels a side, and this has {width} by {height}."
                    )
                picture = _upright(opened)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            if isinstance(error, NoPictureError):
                raise
            raise NoPictureError("This is not a JPEG, PNG or WebP picture, or only a part of one.") from error
        return Prepared(
            width=width,
            height=height,
            jpeg=_encoded(_smaller(picture, FOR_REKOGNITION), "JPEG", quality=90),
            thumbnail=_encoded(_smaller(picture, THUMBNAIL), "WEBP", quality=80),
        )


def _upright(opened: Image.Image) -> Image.Image:
    """The pixels as a person sees them: turned as the camera was held, on white where they are transparent."""
    turned = ImageOps.exif_transpose(opened) or opened
    turned.load()
    if turned.mode not in {"RGBA", "LA", "PA", "P"}:
        return turned.convert("RGB")
    layer = turned.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert("RGB")


def _smaller(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    copy = picture.copy()
    copy.thumbnail(box, Image.Resampling.LANCZOS)
    return copy


def _encoded(picture: Image.Image, format_: str, *, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_, quality=quality)
    return out.getvalue()
