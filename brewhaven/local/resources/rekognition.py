"""Rekognition's DetectLabels and DetectModerationLabels, answered from a picture's colours.

There is no model here that recognizes anything. The answers are of the form of the real ones, always the same for the
same picture, and named so that nobody takes them for real: labels begin with `Local:`, and the model's version says
what was done. What a picture looks like decides, so a test or a lab can make a picture that is rejected: a magenta one.

https://docs.aws.amazon.com/rekognition/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from brewhaven.local.engines.authorization import denial
from brewhaven.local.registry import REGISTRY, correction
from brewhaven.local.services import ServiceError, register_json_service

if TYPE_CHECKING:
    from brewhaven.local.engines.picture_colours import Look

Request = dict[str, Any]

MODEL = "local-colours-1: the local cloud names colours and recognizes nothing"
MODERATION_MODEL = (
    "local-colours-1: the local cloud recognizes nothing; magenta stands for Rude Gestures, cyan for Alcohol"
)
STANDING_FOR = {"magenta": "Rude Gestures", "cyan": "Alcohol"}
"""Colours that nearly no photograph has much of, and the moderation label that each stands for."""

STANDS_OUT = 0.2
"""The share of a picture from which such a colour counts."""

MOST_BYTES, MOST_BYTES_IN_S3 = 5 * 1024 * 1024, 15 * 1024 * 1024
LEAST_SIDE = 50
LABEL_CONFIDENCE, MODERATION_CONFIDENCE = 55.0, 50.0
"""What a caller gets who names no MinConfidence."""

_NOT_HERE = ("Settings", "HumanLoopConfig", "ProjectVersion")


def _picture(request: Request) -> Look:
    """Look at the picture of a request.

    Raises:
        ServiceError: As the service refuses: too large, no picture, not to be read by the caller.
    """
    from brewhaven.local.engines.picture_colours import NoPictureError, look_at  # Pillow is not loaded before

    for name in _NOT_HERE:
        if request.get(name):
            raise ServiceError("InvalidParameterException", f"The local cloud's stand-in has no {name}.")
    image = request.get("Image") or {}
    if "Bytes" in image:
        try:
            data = base64.b64decode(image["Bytes"], validate=True)
        except (binascii.Error, TypeError):
            raise ServiceError("InvalidParameterException", "Request has invalid parameters") from None
        most = MOST_BYTES
    elif image.get("S3Object"):
        data, most = _object(image["S3Object"]), MOST_BYTES_IN_S3
    else:
        raise ServiceError("InvalidParameterException", "Request has invalid parameters")
    if len(data) > most:
        raise ServiceError("ImageTooLargeException", f"Image size is too large: {len(data)} bytes of at most {most}")
    try:
        look = look_at(data)
    except NoPictureError:
        raise ServiceError("InvalidImageFormatException", "Request has invalid image format") from None
    if min(look.width, look.height) < LEAST_SIDE:
        raise ServiceError(
            "InvalidParameterException",
            f"Request has invalid image size: {look.width} by {look.height} pixels, at least {LEAST_SIDE} are needed",
        )
    return look


def _object(where: dict[str, str]) -> bytes:
    """An object that the caller, not Rekognition, must be allowed to read."""
    from ministack.core.iam_evaluator import caller_arn
    from ministack.core.responses import get_region
    from ministack.services import s3

    bucket, key = where.get("Bucket", ""), where.get("Name", "")
    caller = caller_arn()
    refused = not caller.endswith(":root") and denial(
        caller, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", get_region()
    )
    found = None if refused else s3._get_object_data(bucket, key, version_id=where.get("Version"))
    if found is None:
        raise ServiceError(
            "InvalidS3ObjectException",
            "Unable to get object metadata from S3. Check object key, region and/or access permissions.",
        )
    return bytes(found)


def _confidence(share: float) -> float:
    """A share of the picture as a confidence: half of it is 75 per cent, all of it 100."""
    return round(50 + 50 * share, 4)


def detect_labels(request: Request) -> Request:
    """https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectLabels.html"""
    look = _picture(request)
    features = request.get("Features") or ["GENERAL_LABELS"]
    answer: Request = {"LabelModelVersion": MODEL}
    if "GENERAL_LABELS" in features:
        least = float(request.get("MinConfidence", LABEL_CONFIDENCE))
        found = [_label(f"Local: {colour.name}", _confidence(colour.share)) for colour in look.colours]
        found.append(_label(f"Local: {_brightness(look)}", round(50 + abs(look.brightness - 50), 4)))
        found.append(_label(f"Local: {_format(look)}", 100.0))
        kept = sorted((one for one in found if one["Confidence"] >= least), key=lambda one: -one["Confidence"])
        answer["Labels"] = kept[: int(request.get("MaxLabels", 1000))]
    if "IMAGE_PROPERTIES" in features:
        answer["ImageProperties"] = _properties(look)
    return answer


def _label(name: str, confidence: float) -> Request:
    return {
        "Name": name,
        "Confidence": confidence,
        "Instances": [],
        "Parents": [],
        "Aliases": [],
        "Categories": [{"Name": "Local: colours and shape"}],
    }


def _brightness(look: Look) -> str:
    return "bright" if look.brightness >= 50 else "dark"


def _format(look: Look) -> str:
    if look.width == look.height:
        return "square"
    return "landscape format" if look.width > look.height else "portrait format"


def _properties(look: Look) -> Request:
    """Measured, as the service measures them; sharpness is left out, for it is not measured here."""
    colours = [
        {
            "Red": colour.rgb[0],
            "Green": colour.rgb[1],
            "Blue": colour.rgb[2],
            "HexCode": "#{:02x}{:02x}{:02x}".format(*colour.rgb),
            "SimplifiedColor": colour.simplified,
            "PixelPercent": round(100 * colour.share, 4),
        }
        for colour in look.colours
    ]
    quality = {"Brightness": round(look.brightness, 4), "Contrast": round(look.contrast, 4)}
    return {"Quality": quality, "DominantColors": colours[:10]}


def detect_moderation_labels(request: Request) -> Request:
    """https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectModerationLabels.html"""
    look = _picture(request)
    least = float(request.get("MinConfidence", MODERATION_CONFIDENCE))
    found = [
        (_confidence(look.share(colour)), label)
        for colour, label in STANDING_FOR.items()
        if look.share(colour) >= STANDS_OUT
    ]
    labels = [
        {"Name": label, "ParentName": "", "TaxonomyLevel": 1, "Confidence": confidence}
        for confidence, label in sorted(found, reverse=True)
        if confidence >= least
    ]
    return {"ModerationLabels": labels, "ModerationModelVersion": MODERATION_MODEL, "ContentTypes": []}


@correction
def rekognition_answers() -> None:
    """The two operations that the course uses; any other is refused by name."""
    register_json_service(
        "rekognition",
        target_prefix="RekognitionService",
        iam_namespace="rekognition",
        operations={"DetectLabels": detect_labels, "DetectModerationLabels": detect_moderation_labels},
        stores={},
    )


REGISTRY.stand_ins["rekognition"] = (
    "Rekognition recognizes nothing here: its labels are a picture's colours and shape and begin with 'Local:'. A "
    "picture that is mostly magenta is answered as 'Rude Gestures', a cyan one as 'Alcohol'"
)
