"""Rekognition: what a picture shows, and what speaks against it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from picture_check.checking import SURE, Label

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

MOST_LABELS = 20


class Recognition:
    """Implements `Eyes`. Each call costs about a tenth of a cent.

    https://docs.aws.amazon.com/rekognition/latest/dg/labels.html
    https://docs.aws.amazon.com/rekognition/latest/dg/moderation.html
    """

    def __init__(self, client: "RekognitionClient") -> None:
        self._client = client

    def labels(self, jpeg: bytes) -> Sequence[Label]:
        answer = self._client.detect_labels(Image={"Bytes": jpeg}, MaxLabels=MOST_LABELS)
        return [
            Label(label["Name"], label["Confidence"], next((one["Name"] for one in label.get("Parents", [])), ""))
            for label in answer["Labels"]
        ]

    def objections(self, jpeg: bytes) -> Sequence[Label]:
        answer = self._client.detect_moderation_labels(Image={"Bytes": jpeg}, MinConfidence=SURE)
        return [
            Label(label["Name"], label["Confidence"], label.get("ParentName", ""))
            for label in answer["ModerationLabels"]
        ]
