"""RDS: parameter groups hold PostgreSQL's own parameters, and groups that are in use stay.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import query, succeed, wrap_action, wrap_handler
from brewhaven.local.engines import postgres_parameters
from brewhaven.local.engines.databases import DATABASES, Database
from brewhaven.local.engines.postgres_parameters import FORCE_TLS, ParameterError
from brewhaven.local.registry import Properties, correction, replace
from brewhaven.local.resources.rds_instances import Parameters, Record, RefusedError, refusing


def _members_of(group: str) -> list[Record]:
    from ministack.services import rds

    return [
        record
        for record in rds._instances.values()
        if any(entry["DBParameterGroupName"] == group for entry in record.get("DBParameterGroups") or [])
    ]


def _is_postgres(group: str) -> bool:
    from ministack.services import rds

    family = (rds._param_groups.get(group) or {}).get("DBParameterGroupFamily", "")
    return str(family).startswith("postgres")


@correction
def parameters_are_those_of_postgresql() -> None:
    """A group refuses what PostgreSQL does not know; what is dynamic takes effect at once, the rest at a reboot.

    The emulator takes any name and value, and lists seven parameters.
    """
    from ministack.services import rds

    def check(original: Any) -> Any:
        def apply(group: str, changes: list[tuple[str, Any, str]], refuse_static: bool = True) -> Any:
            if not _is_postgres(group):
                return original(group, changes, refuse_static)
            for name, value, method in changes:
                if value is None:
                    continue
                try:
                    is_static = postgres_parameters.check(name, str(value))
                except ParameterError as error:
                    return rds._error("InvalidParameterValue", str(error), 400)
                if is_static and refuse_static and method == "immediate":
                    return rds._error(
                        "InvalidParameterCombination", "cannot use immediate apply method for static parameter", 400
                    )
            return None

        return apply

    def then_reload(original: Any) -> Any:
        def handle(parameters: Parameters) -> Any:
            group = rds._p(parameters, "DBParameterGroupName")
            before = dict((rds._param_groups.get(group) or {}).get("Parameters") or {})
            answer = original(parameters)
            if answer[0] < 400:
                after = rds._param_groups[group]["Parameters"]
                changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
                for record in _members_of(group):
                    database = DATABASES.of(record)
                    if database is not None and changed:
                        _apply(database, changed)
            return answer

        return handle

    def all_of_them(original: Any) -> Any:
        def parameters_of(family: str) -> list[dict[str, Any]]:
            if not family.startswith("postgres"):
                listed: list[dict[str, Any]] = original(family)
                return listed
            force = {
                "name": FORCE_TLS,
                "default": "1",
                "description": "Force SSL connections.",
                "apply_type": "dynamic",
                "data_type": "boolean",
                "modifiable": True,
            }
            return [force] + [
                {
                    "name": parameter.name,
                    "default": parameter.default,
                    "description": parameter.description,
                    "apply_type": "static" if parameter.is_static else "dynamic",
                    "data_type": {"bool": "boolean", "real": "float", "enum": "string"}.get(
                        parameter.kind, parameter.kind
                    ),
                    "modifiable": True,
                }
                for parameter in sorted(postgres_parameters.known().values(), key=lambda p: p.name)
            ]

        return parameters_of

    replace(rds, "_apply_parameter_group_changes", check)
    replace(rds, "_default_parameters_for_family", all_of_them)
    wrap_action(rds, "_ACTION_MAP", "ModifyDBParameterGroup", then_reload)
    wrap_action(rds, "_ACTION_MAP", "ResetDBParameterGroup", then_reload)


def _apply(database: Database, changed: set[str]) -> None:
    known = postgres_parameters.known()
    static = any(name in known and known[name].is_static for name in changed)
    database.reload()
    for entry in database.record["DBParameterGroups"]:
        if static:
            entry["ParameterApplyStatus"] = "pending-reboot"


@correction
def groups_in_use_stay() -> None:
    """A parameter group or subnet group of an instance is not deleted.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBParameterGroup.html
    """
    from ministack.services import rds

    def delete_parameters(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Any:
            if _members_of(rds._p(parameters, "DBParameterGroupName")):
                raise RefusedError(
                    "InvalidDBParameterGroupState",
                    "One or more database instances are still members of this parameter group "
                    f"{rds._p(parameters, 'DBParameterGroupName')}, so the group cannot be deleted",
                )
            return original(parameters)

        return handle

    def delete_subnets(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Any:
            name = rds._p(parameters, "DBSubnetGroupName")
            for record in rds._instances.values():
                if (record.get("DBSubnetGroup") or {}).get("DBSubnetGroupName") == name:
                    raise RefusedError(
                        "InvalidDBSubnetGroupStateFault",
                        f"Cannot delete the subnet group '{name}' because at least one database instance: "
                        f"{record['DBInstanceIdentifier']} is still using it.",
                    )
            return original(parameters)

        return handle

    wrap_action(rds, "_ACTION_MAP", "DeleteDBParameterGroup", delete_parameters)
    wrap_action(rds, "_ACTION_MAP", "DeleteDBSubnetGroup", delete_subnets)
    for cfn_type, action, parameter, gone in (
        ("AWS::RDS::DBParameterGroup", "DeleteDBParameterGroup", "DBParameterGroupName", "DBParameterGroupNotFound"),
        ("AWS::RDS::DBSubnetGroup", "DeleteDBSubnetGroup", "DBSubnetGroupName", "DBSubnetGroupNotFoundFault"),
    ):
        wrap_handler(cfn_type, "delete", _delete_through(action, parameter, gone))


def _delete_through(action: str, parameter: str, gone: str) -> Any:
    def delete(physical_id: str, properties: Properties) -> None:
        from ministack.services import rds

        succeed("Rds", rds._ACTION_MAP[action](query(**{parameter: physical_id})), ignore=[gone])

    return lambda _original: delete
