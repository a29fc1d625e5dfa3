"""Rekognition's stand-in: real shapes and errors, IAM, and names that nobody takes for real."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image, ImageDraw

from brewhaven.local.engines.picture_colours import colour_of
from tests.plugins.local_cloud import Cloud, brewhaven

pytestmark = pytest.mark.local


def picture(*halves: str, size: tuple[int, int] = (400, 300), format_: str = "JPEG") -> bytes:
    """A picture in stripes of equal height."""
    drawn = Image.new("RGB", size)
    height = size[1] / len(halves)
    for number, colour in enumerate(halves):
        ImageDraw.Draw(drawn).rectangle((0, number * height, size[0], (number + 1) * height), fill=colour)
    out = io.BytesIO()
    drawn.save(out, format_)
    return out.getvalue()


@pytest.fixture(scope="module")
def rekognition(cloud: Cloud) -> Any:
    return cloud.client("rekognition")


def test_labels_are_colours_and_say_so(rekognition: Any) -> None:
    answer = rekognition.detect_labels(Image={"Bytes": picture("saddlebrown", "saddlebrown", "white", "saddlebrown")})
    labels = {label["Name"]: label["Confidence"] for label in answer["Labels"]}
    assert all(name.startswith("Local: ") for name in labels)
    assert labels["Local: brown"] == pytest.approx(87.5, abs=2)
    assert labels["Local: landscape format"] == 100
    assert list(labels.values()) == sorted(labels.values(), reverse=True)
    assert "recognizes nothing" in answer["LabelModelVersion"]


def test_the_same_picture_gives_the_same_answer_in_every_size(rekognition: Any) -> None:
    first, second = (
        rekognition.detect_labels(Image={"Bytes": picture("red", "gold", size=size, format_="PNG")})["Labels"]
        for size in ((400, 300), (800, 600))
    )
    assert [label["Name"] for label in first] == [label["Name"] for label in second]


def test_answers_are_limited_as_asked(rekognition: Any) -> None:
    data = picture("red", "red", "red", "blue")
    assert len(rekognition.detect_labels(Image={"Bytes": data}, MaxLabels=1)["Labels"]) == 1
    least = rekognition.detect_labels(Image={"Bytes": data}, MinConfidence=80)["Labels"]
    assert least
    assert all(label["Confidence"] >= 80 for label in least)


def test_properties_are_measured(rekognition: Any) -> None:
    answer = rekognition.detect_labels(Image={"Bytes": picture("#ff0000")}, Features=["IMAGE_PROPERTIES"])
    assert "Labels" not in answer
    [colour] = answer["ImageProperties"]["DominantColors"]
    assert (colour["SimplifiedColor"], colour["PixelPercent"]) == ("red", 100)
    assert colour["Red"] > 250


@pytest.mark.parametrize(
    ("halves", "names"),
    [
        (("saddlebrown", "white"), []),
        (("magenta",), ["Rude Gestures"]),
        (("cyan", "cyan", "white"), ["Alcohol"]),
        (("magenta", *["white"] * 9), []),
    ],
)
def test_magenta_and_cyan_stand_for_something(rekognition: Any, halves: tuple[str, ...], names: list[str]) -> None:
    answer = rekognition.detect_moderation_labels(Image={"Bytes": picture(*halves)}, MinConfidence=60)
    assert [label["Name"] for label in answer["ModerationLabels"]] == names
    assert all(label["ParentName"] == "" and label["TaxonomyLevel"] == 1 for label in answer["ModerationLabels"])
    assert "magenta stands for" in answer["ModerationModelVersion"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no picture", "InvalidImageFormatException"),
        (picture("red", format_="WEBP"), "InvalidImageFormatException"),
        (picture("red")[:500], "InvalidImageFormatException"),
        (picture("red", size=(40, 40)), "InvalidParameterException"),
        (b"\xff" * (5 * 1024 * 1024 + 1), "ImageTooLargeException"),
    ],
)
def test_what_it_cannot_take_is_refused_by_the_services_names(rekognition: Any, data: bytes, code: str) -> None:
    for operation in (rekognition.detect_labels, rekognition.detect_moderation_labels):
        with pytest.raises(ClientError) as refused:
            operation(Image={"Bytes": data})
        assert refused.value.response["Error"]["Code"] == code


def test_what_it_has_not_is_refused_and_not_pretended(rekognition: Any) -> None:
    with pytest.raises(ClientError, match="stand-in has no Settings"):
        rekognition.detect_labels(Image={"Bytes": picture("red")}, Settings={"GeneralLabels": {}, "ImageProperties": {
            "MaxDominantColors": 3}})  # fmt: skip
    with pytest.raises(ClientError, match="no operation 'DetectFaces'"):
        rekognition.detect_faces(Image={"Bytes": picture("red")})


@pytest.fixture
def reader(cloud: Cloud) -> Iterator[dict[str, str]]:
    """Keys of a user who may ask Rekognition for labels, and nothing else."""
    iam = cloud.client("iam")
    iam.create_user(UserName="looks")
    statement = {"Effect": "Allow", "Action": "rekognition:DetectLabels", "Resource": "*"}
    iam.put_user_policy(UserName="looks", PolicyName="it", PolicyDocument=json.dumps({"Statement": [statement]}))
    key = iam.create_access_key(UserName="looks")["AccessKey"]
    yield {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    iam.delete_access_key(UserName="looks", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="looks", PolicyName="it")
    iam.delete_user(UserName="looks")


def test_iam_decides_and_objects_are_read_with_the_callers_rights(cloud: Cloud, reader: dict[str, str]) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="looked-at")
    s3.put_object(Bucket="looked-at", Key="cup.jpg", Body=picture("red"))
    where = {"S3Object": {"Bucket": "looked-at", "Name": "cup.jpg"}}
    client = cloud.client("rekognition", **reader)
    with pytest.raises(ClientError, match="not authorized to perform: rekognition:DetectModerationLabels"):
        client.detect_moderation_labels(Image={"Bytes": picture("red")})
    assert client.detect_labels(Image={"Bytes": picture("red")})["Labels"]
    with pytest.raises(ClientError, match="InvalidS3ObjectException"):
        client.detect_labels(Image=where)
    statements = [
        {"Effect": "Allow", "Action": "rekognition:DetectLabels", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::looked-at/*"},
    ]
    cloud.client("iam").put_user_policy(
        UserName="looks", PolicyName="it", PolicyDocument=json.dumps({"Statement": statements})
    )
    assert client.detect_labels(Image=where)["Labels"]
    s3.delete_object(Bucket="looked-at", Key="cup.jpg")
    s3.delete_bucket(Bucket="looked-at")


def test_unsigned_calls_are_refused(cloud: Cloud) -> None:
    stranger = boto3.client(
        "rekognition", endpoint_url=cloud.environment["AWS_ENDPOINT_URL"], region_name="us-east-1",
        verify=cloud.environment["AWS_CA_BUNDLE"], aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wrong",
    )  # fmt: skip
    with pytest.raises(ClientError):
        stranger.detect_labels(Image={"Bytes": picture("red")})


def test_the_status_names_it_where_a_stack_uses_it(cloud: Cloud) -> None:
    before = json.loads(brewhaven(cloud, "local", "status", "--json").stdout)["stand_ins"]
    assert before == {}
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "rekognition:*", "Resource": "*"}]}
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName="looks", TemplateBody=json.dumps({"Resources": {"Policy": policy}}), Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName="looks", WaiterConfig={"Delay": 1})
    said = brewhaven(cloud, "local", "status")
    assert "Rekognition recognizes nothing here" in " ".join((said.stdout + said.stderr).split())
    cloudformation.delete_stack(StackName="looks")


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((255, 0, 0), "red"), ((139, 69, 19), "brown"), ((255, 165, 0), "orange"), ((255, 215, 0), "yellow"),
        ((0, 128, 0), "green"), ((0, 255, 255), "cyan"), ((0, 0, 255), "blue"), ((128, 0, 128), "purple"),
        ((255, 0, 255), "magenta"), ((255, 192, 203), "pink"), ((255, 255, 255), "white"), ((10, 10, 10), "black"),
        ((128, 128, 128), "grey"),
    ],
)  # fmt: skip
def test_colours_have_their_names(point: tuple[int, int, int], name: str) -> None:
    assert colour_of(point) == name
