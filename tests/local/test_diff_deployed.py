"""`brewhaven diff` reads what is really deployed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brewhaven.diff.run import compare_named
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_a_deployed_stack_is_compared_with_a_template(cloud: Cloud, tmp_path: Path) -> None:
    def template(seconds: int) -> str:
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}}
        return json.dumps({"Resources": {"Queue": queue}})

    client = cloud.client("cloudformation")
    client.create_stack(StackName="DiffDeployed", TemplateBody=template(30))
    client.get_waiter("stack_create_complete").wait(StackName="DiffDeployed", WaiterConfig={"Delay": 1})
    try:
        path = tmp_path / "new.json"
        path.write_text(template(60))
        found = compare_named("deployed:DiffDeployed", str(path), tmp_path, cloud.settings)
        same = tmp_path / "same.json"
        same.write_text(template(30))
        assert not compare_named("deployed:DiffDeployed", str(same), tmp_path, cloud.settings).resources
    finally:
        client.delete_stack(StackName="DiffDeployed")
    (change,) = found.resources
    (one,) = change.properties
    assert (one.path, one.before, one.after) == ("Properties.VisibilityTimeout", 30, 60)
