"""What a database says about its own tables: their constraints and indexes, in PostgreSQL's words."""

from typing import Any

from pg8000.native import Connection

TABLES = "select tablename from pg_tables where schemaname = 'public' order by tablename"
CONSTRAINTS = """
select relation.relname, pg_get_constraintdef(said.oid)
from pg_constraint said
join pg_class relation on relation.oid = said.conrelid
join pg_namespace space on space.oid = relation.relnamespace
where space.nspname = 'public' and said.contype in ('p', 'f', 'c', 'u')
order by relation.relname, said.conname
"""
INDEXES = "select tablename, indexname from pg_indexes where schemaname = 'public' order by tablename, indexname"


def describe(connection: Connection) -> dict[str, Any]:
    """For each table the definitions of its constraints (`PRIMARY KEY (id)`) and the names of its indexes."""
    tables: dict[str, Any] = {name: {"constraints": [], "indexes": []} for (name,) in connection.run(TABLES) or ()}
    for table, constraint in connection.run(CONSTRAINTS) or ():
        tables[table]["constraints"].append(constraint)
    for table, index in connection.run(INDEXES) or ():
        tables[table]["indexes"].append(index)
    return tables
