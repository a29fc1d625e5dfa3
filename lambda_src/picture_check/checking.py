"""What happens to a picture, and why. Plain Python: no AWS, no image library.

A picture is accepted or rejected, once. What was decided is written down first and carried out then, so that a function
that is killed in between goes on where it stopped when the message comes again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from picture_check.upload import Upload

MAX_BYTES = 5_000_000
MAX_SIDE = 6_000
SURE = 80.0
"""Per cent. Below it, a moderation label is a guess, and a person has better things to do than to look at guesses."""

TOLERATED = frozenset({"Alcohol"})
"""Categories that a coffee shop has nothing against: there is such a thing as Irish coffee."""

KEPT_LABELS = 12

Outcome = Literal["accepted", "rejected", "known"]


@dataclass(frozen=True, slots=True)
class Label:
    """What Rekognition sees, and how sure it is of it, in per cent. `parent` is the label above it, if it has one."""

    name: str
    confidence: float
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture that was opened: its size in pixels, a JPEG of it for Rekognition, and a thumbnail for the shop."""

    width: int
    height: int
    jpeg: bytes
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down of a picture. `done` says whether all of what follows from it was carried out."""

    key: str
    etag: str
    accepted: bool
    done: bool
    reasons: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    width: int = 0
    height: int = 0


class NoPictureError(ValueError):
    """These bytes are no picture that the shop can show. Says why, for a person."""


class Pictures(Protocol):
    """The bucket."""

    def read(self, key: str) -> bytes: ...
    def keep_thumbnail(self, key: str, thumbnail: bytes) -> None: ...
    def quarantine(self, key: str) -> None: ...
    def remove(self, key: str) -> None: ...


class Studio(Protocol):
    """Opens a picture and makes smaller ones of it; raises `NoPictureError`."""

    def prepare(self, data: bytes) -> Prepared: ...


class Eyes(Protocol):
    """Rekognition."""

    def labels(self, jpeg: bytes) -> Sequence[Label]: ...
    def objections(self, jpeg: bytes) -> Sequence[Label]: ...


class Records(Protocol):
    """The table."""

    def find(self, key: str) -> Record | None: ...
    def save(self, record: Record) -> None: ...
    def take_off_menu(self, key: str) -> Sequence[str]: ...
    def finish(self, record: Record) -> None: ...


class Staff(Protocol):
    """Who is told of a picture that was rejected."""

    def tell(self, record: Record, products: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class PictureCheck:
    """Everything that a check needs."""

    pictures: Pictures
    studio: Studio
    eyes: Eyes
    records: Records
    staff: Staff

    def check(self, upload: Upload) -> Outcome:
        """Decide about an upload and carry it out; the second time about the same bytes it only carries on."""
        record = self.records.find(upload.key)
        if record is None or record.etag != upload.etag:
            record = self._decide(upload)
        elif record.done:
            return "known"
        if record.accepted:
            return "accepted"
        self._put_aside(record)
        return "rejected"

    def _decide(self, upload: Upload) -> Record:
        try:
            picture = self._open(upload)
        except NoPictureError as error:
            return self._reject(upload, (str(error),))
        labels = tuple(sorted(self.eyes.labels(picture.jpeg), key=lambda label: -label.confidence)[:KEPT_LABELS])
        reasons = objectionable(self.eyes.objections(picture.jpeg))
        if reasons:
            return self._reject(upload, reasons, labels, picture)
        self.pictures.keep_thumbnail(upload.key, picture.thumbnail)
        record = Record(
            upload.key, upload.etag, accepted=True, done=True, labels=labels, width=picture.width, height=picture.height
        )
        self.records.save(record)
        return record

    def _open(self, upload: Upload) -> Prepared:
        """Nothing is fetched that is too large to be a picture of the shop: it would not fit into the memory."""
        if not 0 < upload.size <= MAX_BYTES:
            raise NoPictureError(f"A picture has 1 to {MAX_BYTES} bytes, and this file has {upload.size}.")
        return self.studio.prepare(self.pictures.read(upload.key))

    def _reject(
        self,
        upload: Upload,
        reasons: tuple[str, ...],
        labels: tuple[Label, ...] = (),
        picture: Prepared | None = None,
    ) -> Record:
        """The copy before the record: whoever reads that a picture is in quarantine must find it there."""
        self.pictures.quarantine(upload.key)
        width, height = (picture.width, picture.height) if picture else (0, 0)
        record = Record(upload.key, upload.etag, False, False, reasons, labels, width, height)
        self.records.save(record)
        return record

    def _put_aside(self, record: Record) -> None:
        """Each step may be done twice and leaves the same behind; the staff may at worst be told twice."""
        self.pictures.remove(record.key)
        products = self.records.take_off_menu(record.key)
        self.staff.tell(record, products)
        self.records.finish(record)


def objectionable(labels: Sequence[Label]) -> tuple[str, ...]:
    """Why moderation labels speak against a picture: one sentence for each category; none when it is fine."""
    parents = {label.name: label.parent for label in labels}
    surest: dict[str, Label] = {}
    for label in labels:
        category = _category(label.name, parents)
        if label.confidence >= SURE and category not in TOLERATED:
            known = surest.get(category)
            surest[category] = label if known is None or label.confidence > known.confidence else known
    return tuple(
        f"Rekognition is {label.confidence:.0f} per cent sure of {label.name}."
        for label in sorted(surest.values(), key=lambda label: -label.confidence)
    )


def _category(name: str, parents: dict[str, str]) -> str:
    """The topmost label above a label. Rekognition answers parents with their children."""
    seen: set[str] = set()
    while parents.get(name) and name not in seen:
        seen.add(name)
        name = parents[name]
    return name
