"""A picture on its way from a presigned upload to its thumbnail, and a file that is no picture into quarantine."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from brewhaven import accounts, console
from brewhaven.course.cloud import Deployment, ask
from brewhaven.demo import pictures
from brewhaven.demo.journey import Journey, Leg, MissingHopError, now, wait_for
from brewhaven.demo.order_processing import forget_account
from brewhaven.demo.visitor import Visitor
from brewhaven.demo.witness import (
    Cause,
    Line,
    Listener,
    LogGroup,
    depth,
    event_source,
    listening,
    only,
    published_at,
)
from brewhaven.target import Target

NAME = "file-processing"
LESSON = "2.7"
NEEDS = ("PictureQueueUrl", "AlarmTopicArn", "AssetBucketName", "CatalogTableName")
CHECKED, THUMBNAILS, QUARANTINE = "media/uploads/checked/", "media/thumbnails/", "quarantine/"
INCOMING = "media/uploads/incoming/"
STAND_IN = "Local: "

LEGS = (
    Leg("form", "A manager gets a presigned form from the shop"),
    Leg("upload", "The picture goes straight to S3, past the shop"),
    Leg("taken", "The shop looks at its bytes and takes a copy"),
    Leg("event", "S3 -> EventBridge -> SQS: a rule sends the event on"),
    Leg("function", "SQS -> Lambda: picture_check has it in its hands"),
    Leg("rekognition", "Lambda -> Rekognition: labels, and nothing against it"),
    Leg("item", "Lambda -> DynamoDB: what it shows, beside the products"),
    Leg("thumbnail", "Lambda -> S3: a thumbnail"),
    Leg("bad-upload", "A file that is no picture, the same way"),
    Leg("rejected", "SQS -> Lambda: picture_check rejects it"),
    Leg("quarantine", "Lambda -> S3: it is in quarantine and not where pages look"),
    Leg("told", "Lambda -> SNS: the manager is told"),
    Leg("page", "The manager's page lists it with the reason"),
)
RECOGNIZES_NOTHING = (
    "Labels that begin with 'Local:' are no recognition: they are the colours and the shape of the picture, from the "
    "local cloud's stand-in for Rekognition. What AWS's Rekognition would say of it, only AWS can show."
)
MODERATED = "Moderation was asked about the picture and had nothing against it, so here it is seen to let one pass."
STAYS = ("what picture_check wrote into its log group, for a week",)


@dataclass
class FileProcessing:
    """The journey of two files.

    Attributes:
        shop: The shop's address.
        patience: Seconds that a hop is waited for.
    """

    deployment: Deployment
    cloud: Target
    shop: str
    patience: float
    journey: Journey = field(default_factory=lambda: Journey(NAME, LEGS))
    keys: list[str] = field(default_factory=list)
    email: str = field(default_factory=lambda: f"demo-{uuid.uuid4().hex[:12]}@brew-haven.example")
    manager: str = ""
    visitor: Visitor | None = None

    def run(self) -> Journey:
        """Upload both and watch them, then take everything away again."""
        self.s3, self.table = self.deployment.client("s3"), self.deployment.client("dynamodb")
        self.log = LogGroup(self.deployment, of="ImagePipelineCheckLogs")
        topic = self.deployment.outputs["AlarmTopicArn"]
        try:
            with suppress(MissingHopError), listening(self.deployment, topic, "brewhaven-demo") as staff:
                with console.step("A manager's account for the demo") as step:
                    outputs, stack = self.deployment.outputs, self.deployment.stacks[0]
                    account = accounts.make(self.cloud, stack, outputs, "manager", self.email)
                    self.visitor = visitor = Visitor(self.shop)
                    self.manager = visitor.sign_in(account["email"], account["password"])
                    step.result("removed again at the end")
                self._good(visitor)
                self._bad(visitor, staff)
        finally:
            self._clean_up()
        self.journey.stays += STAYS
        return self.journey

    def _good(self, visitor: Visitor) -> None:
        data = pictures.new_picture()
        with self.journey.hop("form") as hop:
            asked = now()
            form = visitor.send("POST", "/api/uploads", {"content_type": "image/webp", "size_bytes": len(data)})
            hop.proves(f"{form['method']} for {form['expires_in']} s, at most {form['max_bytes']} bytes",
                       since=asked, at=now())  # fmt: skip
        with self.journey.hop("upload") as hop:
            sent = now()
            hop.proves(f"{self._send(form, data)}: {len(data)} bytes", since=sent, at=now())
        with self.journey.hop("taken") as hop:
            asked = now()
            key = self._complete(visitor, form)
            hop.proves(key, since=asked, at=now())
        line = self._follow(key, asked, "accepted")
        item = self._item(key)
        with self.journey.hop("rekognition") as hop:
            if not item or item["status"]["S"] != "accepted":
                raise MissingHopError(
                    f"picture_check did not accept the picture: {item and item.get('reasons')}",
                    f"Its log group is {self.log.name}.",
                )
            labels = [f"{label['M']['name']['S']} {label['M']['confidence']['N']}" for label in item["labels"]["L"]]
            looked = _moment(item["checked_at"]["S"])
            hop.proves(f"{', '.join(labels[:4]) or 'no label that it is sure of'}", since=line.received_at, at=looked)
            self.journey.notes += [RECOGNIZES_NOTHING] if any(label.startswith(STAND_IN) for label in labels) else []
            self.journey.notes.append(MODERATED)
        with self.journey.hop("item") as hop:
            size = f"{item['width']['N']} by {item['height']['N']} pixels"
            hop.proves(f"{item['pk']['S']}: {size}, {len(labels)} labels", since=looked, at=line.at)
        with self.journey.hop("thumbnail") as hop:
            head = self._head(_thumbnail(key))
            if head is None:
                raise MissingHopError(f"There is no object {_thumbnail(key)}.", f"Its log group is {self.log.name}.")
            hop.proves(f"{_thumbnail(key)}: {head['ContentLength']} bytes, {head['ContentType']}")

    def _bad(self, visitor: Visitor, staff: Listener) -> None:
        data = pictures.no_picture()
        with self.journey.hop("bad-upload") as hop:
            asked = now()
            form = visitor.send("POST", "/api/uploads", {"content_type": "image/png", "size_bytes": len(data)})
            self._send(form, data)
            key = self._complete(visitor, form)
            hop.proves(f"{len(data)} bytes that begin and end like a PNG: {key}", since=asked, at=now())
        line = self._follow(key, asked, "rejected")
        with self.journey.hop("quarantine") as hop:
            head = self._head(_quarantined(key))
            if head is None or self._head(key) is not None:
                where = "is not in quarantine" if head is None else "is still where pages look for it"
                raise MissingHopError(f"The file {where}: {key}", f"The log group is {self.log.name}.")
            hop.proves(_quarantined(key))
        with self.journey.hop("told") as hop:
            told = staff.wait_for(lambda message: key in message["Message"], self.patience)
            if told is None:
                raise MissingHopError(
                    f"The staff's topic announced nothing of {key} within {self.patience:.0f} s.",
                    f"The log group {self.log.name} says why; the topic is {self.deployment.outputs['AlarmTopicArn']}.",
                )
            hop.proves(f"'{told.get('Subject', '')}'", since=line.received_at, at=published_at(told))
        with self.journey.hop("page") as hop:
            listed = visitor.get("/api/pictures/rejected")["pictures"]
            mine = next((one for one in listed if one["id"] == _name(key)), None)
            if mine is None:
                raise MissingHopError(f"The manager's page does not list {_name(key)}.", "See `brewhaven verify 2.7`.")
            hop.proves(" ".join(mine["reasons"]))

    def _send(self, form: dict[str, Any], data: bytes) -> int:
        body, content_type = pictures.form(form["fields"], data)
        self.keys.append(INCOMING + form["id"])
        answer = ask(form["url"], method="POST", body=body, headers={"Content-Type": content_type}, timeout=60)
        if answer.status >= 300:
            raise MissingHopError(
                f"S3 did not take the upload: {answer.status} {answer.text[:200]}",
                "The form is valid for ten minutes: is this machine's clock right?",
            )
        return answer.status

    def _complete(self, visitor: Visitor, form: dict[str, Any]) -> str:
        key = str(visitor.send("POST", f"/api/uploads/{form['id']}/complete")["picture"])
        self.keys.append(key)
        return key

    def _follow(self, key: str, asked: datetime, outcome: str) -> Line:
        """The function's line tells of both: when SQS took the event, and when the function had it."""
        first, second = ("event", "function") if outcome == "accepted" else (None, "rejected")

        def look() -> Line | None:
            return self.log.line(key, lambda line: line.message.startswith("picture ") and "sent_at" in line.content)

        line = None
        if first:
            with self.journey.hop(first) as hop:
                hop.waits("until the function's log tells when SQS took it")
                line = wait_for(look, self.patience)
                if line is None and not self._waits_in_the_queue():
                    raise self._no_event(key)
                if line:
                    hop.proves(f"SQS took it at {line.sent_at:%H:%M:%S} UTC", since=asked, at=line.sent_at)
                else:
                    hop.proves("messages wait in the queue; when this one came, only its receiver could say")
        with self.journey.hop(second) as hop:
            line = line or wait_for(look, self.patience)
            if line is None or not line.message.endswith(outcome):
                raise self._idle(key, line)
            since = line.sent_at if first else asked
            hop.proves(f"its log says '{outcome}'{line.start}", since=since, at=line.received_at if first else line.at)
        return line

    def _waits_in_the_queue(self) -> bool:
        return depth(self.deployment, self.deployment.outputs["PictureQueueUrl"]) > 0

    def _no_event(self, key: str) -> MissingHopError:
        name = only(self.deployment, "AWS::Events::Rule", of="ImagePipelineNewPictures")
        state = self.deployment.client("events").describe_rule(Name=name)["State"]
        if state != "ENABLED":
            return MissingHopError(
                f"S3's event of {key} did not come to the queue: the EventBridge rule {name} is {state}.",
                f"Enable it: `aws events enable-rule --name {name}`.",
            )
        return MissingHopError(
            f"S3's event of {key} did not come to the queue within {self.patience:.0f} s, though the rule {name} is "
            "enabled.",
            "`brewhaven verify 2.7` looks at the bucket's notification, the rule's pattern and the queue's policy.",
        )

    def _idle(self, key: str, line: Line | None) -> MissingHopError:
        causes = []
        if stopped := event_source(self.deployment, of="ImagePipelineCheckFunction"):
            causes.append(stopped)
        if said := self.log.complaint(key):
            causes.append(Cause(f"it says: {said[-300:]}", f"Its log group is {self.log.name}"))
        if line:
            causes.append(Cause(f"its log says: {line.message}", f"Its log group is {self.log.name}"))
        if not causes:
            causes.append(Cause("its log says nothing of it", f"Look into its log group: {self.log.name}"))
        why = "; ".join(cause.says for cause in causes)
        return MissingHopError(
            f"picture_check did not do what it should within {self.patience:.0f} s: {why}.", f"{causes[0].remedy}."
        )

    def _item(self, key: str) -> dict[str, Any] | None:
        where = {"pk": {"S": f"PICTURE#{_name(key)}"}, "sk": {"S": "PICTURE"}}
        item: dict[str, Any] | None = self.table.get_item(TableName=self._catalog, Key=where, ConsistentRead=True).get(
            "Item"
        )
        return item

    @property
    def _catalog(self) -> str:
        return self.deployment.outputs["CatalogTableName"]

    @property
    def _bucket(self) -> str:
        return self.deployment.outputs["AssetBucketName"]

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        return found

    def _clean_up(self) -> None:
        """Remove every version of the objects, their items, and the manager."""
        for key in self.keys:
            name = _name(key)
            for each in {key, *([_thumbnail(key), _quarantined(key)] if key.startswith(CHECKED) else [])}:
                self._forget(each)
            if key.startswith(CHECKED):
                self.table.delete_item(
                    TableName=self._catalog, Key={"pk": {"S": f"PICTURE#{name}"}, "sk": {"S": "PICTURE"}}
                )
        if self.visitor and self.manager:
            with suppress(MissingHopError):
                self.visitor.sign_out()
            forget_account(self.deployment, self.email, self.manager)
        if not self.journey.complete and self._waits_in_the_queue():
            self.journey.stays.append(
                "messages in the queue of pictures: picture_check will find their pictures gone, try five times, and "
                "put them aside into its dead-letter queue"
            )

    def _forget(self, key: str) -> None:
        found = self.s3.list_object_versions(Bucket=self._bucket, Prefix=key)
        for version in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
            self.s3.delete_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])


def _name(key: str) -> str:
    return key.removeprefix(CHECKED)


def _thumbnail(key: str) -> str:
    return f"{THUMBNAILS}{PurePosixPath(_name(key)).with_suffix('.webp')}"


def _quarantined(key: str) -> str:
    return f"{QUARANTINE}{_name(key)}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
