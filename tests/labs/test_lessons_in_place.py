"""The lessons of phase 1, deployed one over the other: each works, and nothing that was kept is lost."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from tests.plugins.local_cloud import Cloud, brewhaven, free_port_pair

pytestmark = [pytest.mark.local, pytest.mark.timeout(900)]

LESSONS = ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
ESPRESSO = {"pk": {"S": "PRODUCT#espresso"}, "sk": {"S": "PRODUCT"}}


def _deployed(cloud: Cloud, lesson: str) -> dict[str, str]:
    done = brewhaven(cloud, "deploy", lesson, "--json")
    assert done.returncode == 0, f"lesson {lesson}: {done.stderr}"
    outputs: dict[str, str] = json.loads(done.stdout)["outputs"]
    return outputs


def _menu(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/api/menu", timeout=20) as answer:
        menu: dict[str, Any] = json.load(answer)
    return menu


def test_each_lesson_is_deployed_over_the_one_before_and_the_data_stay(tmp_path: Path) -> None:
    settings = CloudSettings(home=tmp_path, port=free_port_pair())
    lifecycle.up(settings)
    try:
        cloud = Cloud(settings, lifecycle.environment(settings))
        table, bucket, answered = "", "", []
        for lesson in LESSONS:
            outputs = _deployed(cloud, lesson)
            table = table or outputs["CatalogTableName"]
            bucket = bucket or outputs.get("AssetBucketName", "")
            assert outputs["CatalogTableName"] == table, f"lesson {lesson} replaced the table"
            assert outputs.get("AssetBucketName", bucket) == bucket, f"lesson {lesson} replaced the bucket"
            if lesson == "1.1":
                cloud.client("dynamodb").update_item(
                    TableName=table,
                    Key=ESPRESSO,
                    UpdateExpression="SET kept = :yes",
                    ExpressionAttributeValues={":yes": {"S": "by hand"}},
                )
            if lesson == "1.3":
                cloud.client("s3").put_object(Bucket=bucket, Key="media/uploads/kept.txt", Body=b"by hand")
            for name in ("InstanceUrl", "ShopUrl"):
                if name in outputs:
                    assert any(product["id"] == "espresso" for product in _menu(outputs[name])["products"])
                    answered.append((lesson, name))
        item = cloud.client("dynamodb").get_item(TableName=table, Key=ESPRESSO)["Item"]
        assert item["kept"] == {"S": "by hand"}
        assert cloud.client("s3").get_object(Bucket=bucket, Key="media/uploads/kept.txt")["Body"].read() == b"by hand"
        assert answered[0] == ("1.5", "InstanceUrl")
        assert ("1.6", "ShopUrl") in answered
    finally:
        lifecycle.down(settings)
