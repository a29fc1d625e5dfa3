"""A PostgreSQL for the length of one question: no server, no port, no password, and nothing of it stays.

PostgreSQL can run as a single process that reads statements and ends with its input. That takes a third of a second,
most of it for a copy of an empty database, which is made once and kept in the tool's state folder.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.postgres_programs import as_database_user, hand_over, server_programs, version
from brewhaven.local.settings import CloudSettings

ANSWER_SECONDS = 8.0
STATEMENT_MILLISECONDS = 2000
_SAID = re.compile(r"^NOTICE:  brew (?P<number>\d+) (?P<outcome>[a-z]+) (?P<code>\w*)\|(?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Try:
    """Something to try in a database; whatever it changes is taken back before the next one.

    Attributes:
        act: SQL, one statement or several. What is deferred to the end of a transaction is checked at its end.
        before: SQL that prepares it.
        ask: A query with one value, asked afterwards.
        keep: It stays, for those that come later.
    """

    act: str
    before: str = ""
    ask: str = ""
    keep: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a :class:`Try`.

    Attributes:
        kind: `accepted`; `refused`; or `unprepared` when what was to prepare it was refused.
        code: PostgreSQL's code of the refusal, such as 23514 for a check.
        text: PostgreSQL's message, or what was asked for.
    """

    kind: str
    code: str
    text: str


def attempt(tries: Sequence[Try]) -> list[Outcome]:
    """Try these one after the other in a new, empty database.

    Raises:
        BrewHavenError: PostgreSQL is not installed, or came to no end.
    """
    script = "".join(_block(number, each) for number, each in enumerate(tries))
    with _database() as (data, words):
        options = ["fsync=off", "log_min_messages=notice", "log_line_prefix=", "log_error_verbosity=terse",
                   "log_checkpoints=off", f"statement_timeout={STATEMENT_MILLISECONDS}"]  # fmt: skip
        command = [*words, str(server_programs() / "postgres"), "--single", "-j", "-D", str(data)]
        try:
            done = subprocess.run(
                [*command, *(word for option in options for word in ("-c", option)), "postgres"],
                input=script, capture_output=True, text=True, cwd="/", check=False, timeout=ANSWER_SECONDS,
                env=_environment(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BrewHavenError(f"PostgreSQL did not come to an end within {ANSWER_SECONDS:g} s.") from None
    found = {int(said["number"]): said for said in _SAID.finditer(done.stderr)}
    if len(found) != len(tries):
        raise BrewHavenError(f"PostgreSQL did not answer everything: {done.stderr.strip()[-500:]}")
    return [Outcome(found[n]["outcome"], found[n]["code"], found[n]["text"].strip()) for n in range(len(tries))]


def _block(number: int, each: Try) -> str:
    """A statement of PL/pgSQL that does it, says what came of it, and takes it back."""
    tag = f"$b{secrets.token_hex(4)}$"
    parts = [_whole(text) for text in (each.before, each.act, each.ask)]
    before, act, ask = (f"{tag}{text}{tag}" for text in parts)
    asking = f"execute {ask} into answer;" if parts[2] else ""
    # An error is the only way to leave a block and take back what it did.
    leave = "null;" if each.keep else "raise exception using errcode = 'BREW0';"
    return f"""\
do $brew$ declare code text; said text; answer text := ''; ready boolean := false;
begin
  begin
    execute {before};
    set constraints all immediate;
    ready := true;
    execute {act};
    set constraints all immediate;
    {asking}
    {leave}
  exception when sqlstate 'BREW0' then null;
  when query_canceled or assert_failure or others then  -- `others` alone leaves these two out
    get stacked diagnostics code = returned_sqlstate, said = message_text;
  end;
  if code is null then
    raise notice 'brew {number} accepted |%', replace(coalesce(answer, ''), chr(10), ' ');
  else
    raise notice 'brew {number} % %|%', case when ready then 'refused' else 'unprepared' end, code,
      replace(said, chr(10), ' ');
  end if;
end $brew$;

"""


def _whole(text: str) -> str:
    """Without what ends a statement here: a semicolon before an empty line. An empty text does nothing."""
    return re.sub(r";(?:\r?\n)+", ";\n", text.strip())


@contextmanager
def _database() -> Iterator[tuple[Path, list[str]]]:
    """A data folder of its own, and the words that go before a command so that PostgreSQL accepts who runs it."""
    words = list(as_database_user())
    folder = CloudSettings.from_environment().home / "exercises"
    folder.mkdir(parents=True, exist_ok=True)
    empty = _empty(folder, words)
    with tempfile.TemporaryDirectory(prefix="attempt-", dir=folder, ignore_cleanup_errors=True) as attempt_folder:
        data = Path(attempt_folder) / "data"
        shutil.copytree(empty, data)
        hand_over(Path(attempt_folder))
        yield data, words


def _empty(folder: Path, words: list[str]) -> Path:
    """The empty database, made when it is needed for the first time."""
    kept = folder / f"postgresql-{version()}"
    if not kept.exists():
        making = Path(tempfile.mkdtemp(prefix="making-", dir=folder))
        hand_over(making)
        command = [*words, str(server_programs() / "initdb"), f"--pgdata={making / 'data'}", "--username=brewhaven",
                   "--auth=trust", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, env=_environment())
        if done.returncode:
            raise BrewHavenError(f"PostgreSQL cannot be prepared: {(done.stderr or done.stdout).strip()[-500:]}")
        try:
            (making / "data").rename(kept)
        except OSError:  # somebody else was quicker
            shutil.rmtree(making / "data", ignore_errors=True)
        shutil.rmtree(making, ignore_errors=True)
    return kept


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "TZ": "UTC", "LC_ALL": "C"}
