"""Delivers batches to the student's handler as Lambda would: again, twice at a time, and killed in the middle."""

import json
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

TABLES = """
create table points (customer text primary key, points integer not null);
create table seen (event_id text primary key);
create table locked (customer text primary key);
create trigger locked_insert before insert on points when new.customer in (select customer from locked)
begin select raise(abort, 'the row of this customer is locked'); end;
create trigger locked_update before update on points when new.customer in (select customer from locked)
begin select raise(abort, 'the row of this customer is locked'); end;
"""
MOST_STEPS = 40
Record = dict[str, Any]


class Killed(BaseException):
    """The process is gone. No handler of exceptions sees that, so this is none."""


class Cursor(sqlite3.Cursor):
    """Tells its connection before each statement."""

    def execute(self, *arguments: Any) -> Any:
        """As every cursor does."""
        self.connection.step()
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        """As every cursor does."""
        self.connection.step()
        return super().executemany(*arguments)


class Connection(sqlite3.Connection):
    """Counts the statements, commits among them, and does something before one of them."""

    at: int = 0
    then: Callable[[], None] = staticmethod(lambda: None)
    count: int = 0
    dead: bool = False

    def step(self) -> None:
        """Before each statement."""
        if self.dead:
            raise Killed
        self.count += 1
        if self.count == self.at:
            self.then()

    def cursor(self, factory: Any = Cursor) -> Any:
        """One that tells."""
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        """By a cursor that nobody sees."""
        return self.cursor().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        """By a cursor that nobody sees."""
        return self.cursor().executemany(*arguments)

    def commit(self) -> None:
        """A statement, too."""
        self.step()
        super().commit()

    def rollback(self) -> None:
        """A statement, too."""
        self.step()
        super().rollback()

    def __exit__(self, *error: Any) -> Any:
        """Of `with database:`, which commits or takes back."""
        self.step()
        return super().__exit__(*error)

    def kill(self) -> None:
        """From here on nothing is done any more."""
        self.dead = True
        raise Killed


class Till:
    """A database in a folder, and the student's handler in front of it, in a new process for each delivery."""

    def __init__(self, handler: Path, folder: Path) -> None:
        self._handler = handler
        self._file = folder / f"points-{len(list(folder.iterdir()))}.db"
        database = self.open()
        database.execute("pragma journal_mode = wal")
        database.executescript(TABLES)
        database.close()

    def open(self) -> Connection:
        """Whoever finds the database locked is told so at once."""
        database = sqlite3.connect(self._file, timeout=0, factory=Connection)
        database.execute("pragma synchronous = off")  # no machine is switched off here
        database.count = 0
        return database

    def run(self, sql: str) -> None:
        """Past the handler."""
        database = self.open()
        database.execute(sql)
        database.commit()
        database.close()

    def points(self) -> dict[str, int]:
        """Customer -> points."""
        database = self.open()
        found = dict(database.execute("select customer, points from points").fetchall())
        database.close()
        return found

    def deliver(self, batch: list[Record], *, at: int = 0, then: Callable[[], None] | None = None) -> dict[str, Any]:
        """Call the handler, and say which messages come back, as Lambda reads the answer.

        Args:
            at: Before which statement something happens; the first is 1.
            then: What happens; without it the process is killed.
        """
        module = ModuleType("handler")
        exec(compile(self._handler.read_bytes(), str(self._handler), "exec"), module.__dict__)  # noqa: S102
        database = self.open()
        database.at, database.then = at, then or database.kill
        every = [record["messageId"] for record in batch]
        try:
            answer = module.handle({"Records": [dict(record) for record in batch]}, database)
        except Killed:
            return {"back": every, "said": "", "killed": True}
        except Exception as error:  # whatever a student's handler raises
            return {"back": every, "said": f"{type(error).__name__}: {error}", "raised": True}
        finally:
            database.count, database.at, database.dead = 0, 0, False
            database.close()  # what was not committed is lost
        return {"back": _back(answer, every), "said": json.dumps(answer, default=str)}


def _back(answer: Any, every: list[str]) -> list[str]:
    """Which messages Lambda takes for failed; all of them when it does not understand the answer.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if answer is None or answer == {}:
        return []
    if not isinstance(answer, dict) or "batchItemFailures" not in answer:
        return []  # an answer like any other
    try:
        named = [failure["itemIdentifier"] for failure in answer["batchItemFailures"] or []]
    except (TypeError, KeyError):
        return every
    return named if set(named) <= set(every) else every


def message(id_: str, event: str, customer: str, points: int | None) -> Record:
    """A message of the queue."""
    return {"messageId": id_, "body": json.dumps({"event_id": event, "customer": customer, "points": points})}


GOOD = [message("m-1", "e-1", "ada", 4), message("m-2", "e-2", "bob", 3), message("m-3", "e-3", "cy", 2)]
BAD = [
    {"messageId": "m-7", "body": "not JSON"},
    {"messageId": "m-8", "body": '{"event_id": "e-8"}'},
    message("m-9", "e-9", "eve", None),
]


def probe(_module: ModuleType, _body: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What came of each case."""
    handler = folder / "handler.py"
    with tempfile.TemporaryDirectory(prefix="brewhaven-points-") as place:

        def till() -> Till:
            return Till(handler, Path(place))

        return {
            "poison": _poison(till()),
            "repeats": _repeats(till),
            "race": _race(till),
            "killed": _killed(till),
            "again": _again(till()),
        }


def _poison(till: Till) -> dict[str, Any]:
    batch = [GOOD[0], BAD[0], GOOD[1], BAD[1], GOOD[2], BAD[2]]
    return {**till.deliver(batch), "points": till.points()}


def _repeats(till: Callable[[], Till]) -> dict[str, dict[str, Any]]:
    """How often -> the points of ada, who should have 4, and of bob, who should have 3, and what comes back."""
    found = {}
    for words, batches in {
        "delivered once": [[GOOD[0], GOOD[1]]],
        "again later, in another process": [[GOOD[0], GOOD[1]], [GOOD[0], GOOD[1]]],
        "again in another message": [[GOOD[0], GOOD[1]], [{**GOOD[0], "messageId": "m-5"}]],
        "twice in one batch": [[GOOD[0], GOOD[1], {**GOOD[0], "messageId": "m-4"}]],
    }.items():
        one = till()
        back = [one.deliver(batch)["back"] for batch in batches]
        found[words] = {"points": one.points(), "back": back[-1]}
    return found


def _race(till: Callable[[], Till]) -> int:
    """The most points that ada got from one event of 4, when two processes had it at the same moment."""
    most = 0
    for at in range(1, MOST_STEPS):
        one = till()
        happened: list[bool] = []

        def meanwhile(one: Till = one, happened: list[bool] = happened) -> None:
            happened.append(True)
            one.deliver([GOOD[0]])

        one.deliver([GOOD[0]], at=at, then=meanwhile)
        if not happened:
            break
        one.deliver([GOOD[0]])
        most = max(most, one.points().get("ada", 0))
    return most


def _killed(till: Callable[[], Till]) -> list[dict[str, int]]:
    """The points after the process was killed before each of its statements and the batch came again."""
    found = []
    for at in range(1, MOST_STEPS):
        one = till()
        if not one.deliver(GOOD[:2], at=at).get("killed"):
            break
        one.deliver(GOOD[:2])
        found.append(one.points())
    return found


def _again(till: Till) -> dict[str, Any]:
    till.run("insert into locked values ('ada')")
    first = till.deliver(GOOD[:2])
    till.run("delete from locked")
    till.deliver([record for record in GOOD[:2] if record["messageId"] in first["back"]])
    return {**first, "points": till.points()}
