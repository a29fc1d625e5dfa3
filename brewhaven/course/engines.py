"""Whether a region has the engines of phase 2's database and cache, in the versions that the stack names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven.course.doctor import Finding
from brewhaven.target import Target

PHASE = 2
# As constructs/brew_constructs has them; a test holds them equal, because to import those takes seconds.
POSTGRES, INSTANCE_CLASS = "16", "db.t4g.micro"
VALKEY = "8.0"
_ELSEWHERE = "Choose another region, or change the version in the stack."


def available(where: Target) -> Iterator[Finding]:
    """One finding for the database, one for the cache."""
    for what, probe in ((f"RDS for PostgreSQL {POSTGRES}", _postgres), (f"ElastiCache for Valkey {VALKEY}", _valkey)):
        yield _safely(where, what, probe)


def _safely(where: Target, what: str, probe: Callable[[Target, str], Finding]) -> Finding:
    try:
        return probe(where, what)
    except (ClientError, BotoCoreError) as error:
        return Finding(what, "note", f"could not be asked ({error})", "Ask for the right that the message names.")


def _postgres(where: Target, what: str) -> Finding:
    """RDS takes its default of a major version, which must be to be had for the class of the instance."""
    rds = where.client("rds")
    versions = rds.describe_db_engine_versions(Engine="postgres", EngineVersion=POSTGRES, DefaultOnly=True)
    found = [version["EngineVersion"] for version in versions["DBEngineVersions"]]
    if not found:
        return Finding(what, "fail", f"not in {where.region}", _ELSEWHERE)
    orderable = rds.describe_orderable_db_instance_options(
        Engine="postgres", EngineVersion=found[0], DBInstanceClass=INSTANCE_CLASS, Vpc=True
    )["OrderableDBInstanceOptions"]
    if not orderable:
        return Finding(what, "fail", f"{found[0]}, but not on {INSTANCE_CLASS} in {where.region}", _ELSEWHERE)
    return Finding(what, "ok", f"{found[0]} is the default, on {INSTANCE_CLASS}")


def _valkey(where: Target, what: str) -> Finding:
    versions = where.client("elasticache").describe_cache_engine_versions(Engine="valkey", EngineVersion=VALKEY)
    if not versions["CacheEngineVersions"]:
        return Finding(what, "fail", f"not in {where.region}", _ELSEWHERE)
    return Finding(what, "ok", f"{versions['CacheEngineVersions'][0]['EngineVersion']} on ElastiCache")
