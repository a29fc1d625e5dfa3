"""The emulator's administration paths are shut on both doors (brewhaven/local/guard.py)."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

PATHS = [
    ("POST", "/_ministack/reset"),
    ("POST", "/_ministack/config"),
    ("GET", "/_ministack/sqs/messages"),
    ("GET", "/_ministack/ses/messages"),
    ("GET", "/_ministack/sns/sms-messages"),
    ("GET", "/_ministack/lambda-code/anything"),
    ("GET", "/_localstack/health"),
]


@pytest.mark.parametrize("door", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_an_administration_path_is_refused_and_does_nothing(cloud: Cloud, door: str, method: str, path: str) -> None:
    cloud.client("ssm").put_parameter(Name="/guarded", Value="1", Type="String", Overwrite=True)
    request = urllib.request.Request(
        cloud.environment[door] + path, method=method, data=b"" if method == "POST" else None
    )
    context = ssl.create_default_context(cafile=cloud.environment["AWS_CA_BUNDLE"])
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, context=context if request.type == "https" else None, timeout=10)
    assert refusal.value.code == 403
    assert cloud.client("ssm").get_parameter(Name="/guarded")["Parameter"]["Value"] == "1"


def test_health_stays_open(cloud: Cloud) -> None:
    context = ssl.create_default_context(cafile=cloud.environment["AWS_CA_BUNDLE"])
    url = cloud.environment["AWS_ENDPOINT_URL"] + "/_ministack/health"
    assert urllib.request.urlopen(url, context=context, timeout=10).status == 200
