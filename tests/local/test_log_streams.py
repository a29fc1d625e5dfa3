"""Searching a log group: its streams by how their names begin, and queries (resources/log_streams.py, logs.py)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

GROUP = "log-streams-test"


@pytest.fixture(scope="module", autouse=True)
def group(cloud: Cloud) -> Iterator[None]:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    for name in ("shop/1", "board/1"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
        event = {"timestamp": int(time.time() * 1000), "message": f"{name} writes"}
        logs.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=[event])
    yield
    logs.delete_log_group(logGroupName=GROUP)


@pytest.mark.parametrize(
    ("prefix", "found"), [("board/", ["board/1 writes"]), ("till/", []), ("", ["board/1 writes", "shop/1 writes"])]
)
def test_only_streams_with_the_prefix_are_searched(cloud: Cloud, prefix: str, found: list[str]) -> None:
    asked = {"logStreamNamePrefix": prefix} if prefix else {}
    events = cloud.client("logs").filter_log_events(logGroupName=GROUP, filterPattern="writes", **asked)["events"]
    assert sorted(event["message"] for event in events) == found


def test_names_and_a_prefix_exclude_each_other(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cloud.client("logs").filter_log_events(
            logGroupName=GROUP, logStreamNames=["shop/1"], logStreamNamePrefix="board/"
        )


def test_a_query_asks_what_is_understood_or_is_refused(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/query/till")
    try:
        logs.create_log_stream(logGroupName="/query/till", logStreamName="one")
        now = int(time.time())
        events = [{"timestamp": now * 1000, "message": text} for text in ("open", "no paper")]
        logs.put_log_events(logGroupName="/query/till", logStreamName="one", logEvents=events)
        asked = {"logGroupName": "/query/till", "startTime": now - 60, "endTime": now + 60}
        query = logs.start_query(queryString="fields @message | filter @message like /paper/ | limit 5", **asked)
        (row,) = logs.get_query_results(queryId=query["queryId"])["results"]
        assert {cell["field"]: cell["value"] for cell in row}["@message"] == "no paper"
        with pytest.raises(logs.exceptions.MalformedQueryException, match="and not stats"):
            logs.start_query(queryString="fields @message | stats count(*) by @message", **asked)
    finally:
        logs.delete_log_group(logGroupName="/query/till")
