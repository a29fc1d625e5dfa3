"""What customers are told, over which ways, and that each way is by itself and sends once."""

import importlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from order_events.event import MalformedEventError, read_event
from order_notification.channels import NotToldError, tell
from order_notification.email import Email
from order_notification.inbox import Inbox
from order_notification.notice import NothingToTellError, Notice, notice_of
from order_notification.push import MobilePush, payload_of
from order_notification.unrepeated import UNREPEATED, unrepeated
from tests.unit.functions.lambda_fakes import FakeContext, FakeMemory, FakeSns, metrics_in

Event = Callable[..., dict[str, Any]]


class FakeTable:
    """The follow-up table in a dictionary."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def put_item(self, **request: dict[str, Any]) -> None:
        item = request["Item"]
        self.items[item["pk"], item["sk"]] = item

    def delete_item(self, **request: dict[str, str]) -> None:
        self.items.pop((request["Key"]["pk"], request["Key"]["sk"]), None)

    def query(self, **request: Any) -> dict[str, Any]:
        both = request["KeyConditionExpression"].get_expression()["values"]
        owner, prefix = (part.get_expression()["values"][1] for part in both)
        return {
            "Items": [item for (pk, sk), item in sorted(self.items.items()) if pk == owner and sk.startswith(prefix)]
        }

    def register(self, owner: str, name: str) -> str:
        """A phone of a customer; its endpoint."""
        endpoint = f"arn:aws:sns:us-east-1:111122223333:endpoint/GCM/brew-haven/{name}"
        self.put_item(Item={"pk": f"OWNER#{owner}", "sk": f"DEVICE#{name}", "endpoint_arn": endpoint})
        return endpoint


class FakeMail:
    """SES that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.failures = 0

    def send_email(self, **request: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no mail")
        self.sent.append(request)


@pytest.fixture
def notice(event: Event) -> Callable[..., Notice]:
    return lambda **changes: notice_of(read_event(json.dumps(event(**changes))))


# The words


@pytest.mark.parametrize(
    ("changes", "subject", "text"),
    [
        (
            {"type": "order.paid"},
            "Order R2YB is paid",
            "Hello Ada, thank you! We make 2 things for 4.80 EUR and call you by R2YB.",
        ),
        (
            {"type": "order.paid", "total_cents": 5, "lines": [], "name": ""},
            "Order R2YB is paid",
            "Hello, thank you! We make 0 things for 0.05 EUR and call you by R2YB.",
        ),
        ({"type": "order.ready"}, "Order R2YB is ready", "Hello Ada, your order R2YB is ready at the counter."),
        (
            {"type": "order.cancelled"},
            "Order R2YB is cancelled",
            "Hello Ada, your order R2YB is cancelled. What was paid goes back to your card.",
        ),
    ],
)
def test_a_customer_is_told_in_words(
    notice: Callable[..., Notice], changes: dict[str, Any], subject: str, text: str
) -> None:
    told = notice(**changes)
    assert (told.subject, told.text) == (subject, text)


@pytest.mark.parametrize("kind", ["order.placed", "order.collected"])
def test_customers_do_not_hear_of_everything(notice: Callable[..., Notice], kind: str) -> None:
    with pytest.raises(NothingToTellError, match=f"order.cancelled, got {kind}"):
        notice(type=kind)


# The ways


def test_the_inbox_holds_a_notice_once_and_for_thirty_days(notice: Callable[..., Notice]) -> None:
    table = FakeTable()
    told = notice(owner="guest:1")
    assert [Inbox(table).send(told) for _ in range(2)] == [1, 1]  # type: ignore[arg-type]
    ((key, item),) = table.items.items()
    assert key == ("OWNER#guest:1", f"NOTICE#2026-11-28T10:00:00.000+00:00#{told.event_id}")
    assert item["expires_at"] - told.at.timestamp() == 30 * 24 * 3600


def test_mail_goes_to_those_who_left_an_address(notice: Callable[..., Notice]) -> None:
    mail = FakeMail()
    email = Email(mail, "shop@example.com")  # type: ignore[arg-type]
    assert email.send(notice()) == 0
    assert email.send(notice(email="ada@example.com")) == 1
    (sent,) = mail.sent
    assert sent["FromEmailAddress"] == "shop@example.com"
    assert sent["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert sent["Content"]["Simple"]["Subject"]["Data"] == "Order R2YB is paid"


def test_a_push_goes_to_every_phone_of_the_customer_and_of_nobody_else(notice: Callable[..., Notice]) -> None:
    table, sns = FakeTable(), FakeSns()
    phones = [table.register("guest:1", "pixel"), table.register("guest:1", "iphone")]
    table.register("guest:2", "other")
    assert MobilePush(table, sns).send(notice(owner="guest:1")) == 2  # type: ignore[arg-type]
    assert {request["TargetArn"] for request in sns.published} == set(phones)
    assert {request["MessageStructure"] for request in sns.published} == {"json"}


def test_a_phone_that_is_gone_is_forgotten_and_the_others_are_told(notice: Callable[..., Notice]) -> None:
    table, sns = FakeTable(), FakeSns()
    sns.gone.add(table.register("guest:1", "lost"))
    kept = table.register("guest:1", "new")
    assert MobilePush(table, sns).send(notice(owner="guest:1")) == 1  # type: ignore[arg-type]
    assert [item["endpoint_arn"] for item in table.items.values()] == [kept]


def test_a_phone_whose_endpoint_was_deleted_is_forgotten_too(notice: Callable[..., Notice]) -> None:
    table, sns = FakeTable(), FakeSns()
    deleted = table.register("guest:1", "deleted")
    sns.refused[deleted] = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"
    assert MobilePush(table, sns).send(notice(owner="guest:1")) == 0  # type: ignore[arg-type]
    assert table.items == {}


def test_a_push_that_is_wrong_in_itself_fails_and_the_phone_stays(notice: Callable[..., Notice]) -> None:
    table, sns = FakeTable(), FakeSns()
    sns.refused[table.register("guest:1", "pixel")] = "Invalid parameter: Message too long"
    with pytest.raises(sns.InvalidParameterException):
        MobilePush(table, sns).send(notice(owner="guest:1"))  # type: ignore[arg-type]
    assert len(table.items) == 1


def test_a_push_says_the_same_in_the_words_of_each_platform(notice: Callable[..., Notice]) -> None:
    told = notice(type="order.ready")
    said = json.loads(payload_of(told))
    assert said["default"] == told.text
    google = json.loads(said["GCM"])["fcmV1Message"]["message"]["notification"]
    apple = json.loads(said["APNS"])["aps"]["alert"]
    assert google == apple == {"title": told.subject, "body": told.text}
    assert said["APNS_SANDBOX"] == said["APNS"]


class Sending:
    """A request that fails in some ways before it succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.made = 0

    def __call__(self) -> None:
        self.made += 1
        if self.failures:
            raise self.failures.pop(0)


SNS = "https://sns.us-east-1.amazonaws.com"
BROKEN, NOBODY = ConnectionClosedError(endpoint_url=SNS), EndpointConnectionError(endpoint_url=SNS)


@pytest.mark.parametrize(("failures", "made"), [([], 1), ([BROKEN], 2), ([NOBODY], 2)])
def test_a_request_that_had_no_connection_is_made_once_more(failures: list[Exception], made: int) -> None:
    sending = Sending(*failures)
    unrepeated(sending)
    assert sending.made == made


@pytest.mark.parametrize("failures", [[BROKEN, BROKEN], [BROKEN, NOBODY], [OSError("refused")]])
def test_a_request_that_was_not_sent_is_a_failure(failures: list[Exception]) -> None:
    with pytest.raises(type(failures[-1])):
        unrepeated(Sending(*failures))


@pytest.mark.parametrize(("scheme", "made"), [("http", 1), ("https", 2)])
def test_a_request_is_repeated_only_when_it_was_not_out(scheme: str, made: int) -> None:
    """A server that says nothing, to a request or to a TLS handshake; neither does the SDK come back by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        quick = UNREPEATED.merge(Config(connect_timeout=0.2, read_timeout=0.2))
        client = boto3.client(
            "sns",
            endpoint_url=f"{scheme}://127.0.0.1:{server.getsockname()[1]}",
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=quick,
        )
        with pytest.raises(ReadTimeoutError) if scheme == "https" else nullcontext():
            unrepeated(lambda: client.publish(TargetArn="phone", Message="ready"))
        server.settimeout(0.5)
        for _ in range(made):
            server.accept()[0].close()
        with pytest.raises(TimeoutError):
            server.accept()


class Way:
    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self.fails = fails
        self.sent: list[Notice] = []

    def send(self, notice: Notice) -> int:
        if self.fails:
            raise OSError("down")
        self.sent.append(notice)
        return 1


def test_a_way_that_fails_does_not_keep_the_others_from_being_served(notice: Callable[..., Notice]) -> None:
    ways = [Way("first", fails=True), Way("second"), Way("third", fails=True)]
    told = notice()
    with pytest.raises(NotToldError, match=f"event {told.event_id} of order .*: first: down; third: down"):
        tell(told, ways)
    assert ways[1].sent == [told]


# The handler


def sns_event(*bodies: dict[str, Any] | str) -> dict[str, Any]:
    return {
        "Records": [
            {"EventSource": "aws:sns", "Sns": {"Message": body if isinstance(body, str) else json.dumps(body)}}
            for body in bodies
        ]
    }


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module with e-mail on, over fakes: `handler.table`, `handler.sns`, `handler.mail`, `handler.memory`."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "order_notification",
        "POWERTOOLS_METRICS_NAMESPACE": "BrewHaven",
        "IDEMPOTENCY_TABLE": "seen",
        "FOLLOW_UP_TABLE": "follow-ups",
        "EMAIL_SENDER": "shop@example.com",
    }.items():
        monkeypatch.setenv(name, value)
    module = importlib.reload(importlib.import_module("order_notification.handler"))
    module.memory, module.sns, module.mail, module.table = FakeMemory(), FakeSns(), FakeMail(), FakeTable()
    module.once._seen.client = module.memory
    module.channels = [
        Inbox(module.table),  # type: ignore[arg-type]
        module.once.each(MobilePush(module.table, module.sns)),  # type: ignore[arg-type]
        module.once.each(Email(module.mail, "shop@example.com")),  # type: ignore[arg-type]
    ]
    yield module


def test_an_event_reaches_every_way(handler: Any, event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    handler.table.register("guest:1", "pixel")
    handler.lambda_handler(sns_event(event(email="ada@example.com")), FakeContext())
    assert (len(handler.sns.published), len(handler.mail.sent)) == (1, 1)
    assert len([key for key in handler.table.items if key[1].startswith("NOTICE#")]) == 1
    assert metrics_in(capsys.readouterr().out)["NoticesSent"] == [3]


def test_a_second_call_with_the_same_event_sends_nothing_again(handler: Any, event: Event) -> None:
    handler.table.register("guest:1", "pixel")
    said = sns_event(event(email="ada@example.com"))
    for _ in range(3):
        handler.lambda_handler(said, FakeContext())
    assert (len(handler.sns.published), len(handler.mail.sent)) == (1, 1)


def test_a_second_call_for_a_guest_without_phone_and_address_is_no_failure(
    handler: Any, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    said = sns_event(event(email=None))
    for _ in range(2):
        handler.lambda_handler(said, FakeContext())
        assert metrics_in(capsys.readouterr().out)["NoticesSent"] == [1]
    assert len(handler.table.items) == 1


def test_a_retry_serves_the_way_that_failed_and_not_its_neighbour(handler: Any, event: Event) -> None:
    handler.table.register("guest:1", "pixel")
    handler.mail.failures = 1
    said = sns_event(event(email="ada@example.com"))
    with pytest.raises(NotToldError, match="email: no mail"):
        handler.lambda_handler(said, FakeContext())
    handler.lambda_handler(said, FakeContext())
    assert (len(handler.sns.published), len(handler.mail.sent)) == (1, 1)


def test_a_second_call_about_somebody_without_a_phone_is_no_failure(
    handler: Any, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    said = sns_event(event(email=None))
    for _ in range(2):
        handler.lambda_handler(said, FakeContext())
        assert metrics_in(capsys.readouterr().out)["NoticesSent"] == [1], "the inbox alone"


def test_what_sends_does_not_repeat_itself(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configs: dict[str, Config] = {}
    monkeypatch.setattr(boto3, "client", lambda name, config: configs.update({name: config}))
    importlib.reload(handler)
    assert (configs["sns"].retries, configs["sesv2"].retries) == (UNREPEATED.retries, UNREPEATED.retries)


def test_a_message_that_is_no_event_fails(handler: Any) -> None:
    with pytest.raises(MalformedEventError):
        handler.lambda_handler(sns_event("latte"), FakeContext())


def test_without_a_sender_there_is_no_email(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [channel.name for channel in handler.channels] == ["inbox", "push", "email"]
    monkeypatch.delenv("EMAIL_SENDER")
    module = importlib.reload(handler)
    assert [channel.name for channel in module.channels] == ["inbox", "push"]
