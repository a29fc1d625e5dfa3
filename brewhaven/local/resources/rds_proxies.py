"""RDS Proxy: ``AWS::RDS::DBProxy`` and its target group, and an endpoint that leads to the database.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import query, succeed, wrap_action
from brewhaven.local.engines import database_proxies
from brewhaven.local.engines.database_proxies import PROXIES
from brewhaven.local.registry import REGISTRY, Created, Properties, correction, replace, resource

_PASSED_THROUGH = (
    "an address of its own that leads straight to the database, with its TLS: connections are not pooled or shared, "
    "and IAM authentication is not offered; security groups and the role's right to read the secret count"
)


def _call(action: str, ignore: tuple[str, ...] = (), **request: Any) -> str:
    from ministack.services import rds

    return succeed("Rds", rds._ACTION_MAP[action](query(**request)), ignore=ignore)


@correction
def proxies_have_an_address() -> None:
    """A proxy's endpoint answers, as long as it has a target whose secret its role may read.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_TargetHealth.html
    """
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import rds

    def create(original: Any) -> Any:
        def handle(parameters: dict[str, Any]) -> Any:
            address = database_proxies.choose_address()
            answer = original(parameters)
            if answer[0] >= 400:
                return answer
            name = rds._p(parameters, "DBProxyName")
            for record in (rds._db_proxies[name], rds._db_proxy_endpoints[name]):
                record["Endpoint"] = address
            inner = rds._db_proxy_xml(rds._db_proxies[name])
            body = f"<CreateDBProxyResult><DBProxy>{inner}</DBProxy></CreateDBProxyResult>"
            return rds._xml(200, "CreateDBProxyResponse", body)

        return handle

    def delete(original: Any) -> Any:
        def handle(parameters: dict[str, Any]) -> Any:
            answer = original(parameters)
            if answer[0] < 400:
                PROXIES.forget((get_account_id(), get_region(), rds._p(parameters, "DBProxyName")))
            return answer

        return handle

    def register(original: Any) -> Any:
        def handle(parameters: dict[str, Any]) -> Any:
            answer = original(parameters)
            PROXIES.follow()
            return answer

        return handle

    def health(original: Any) -> Any:
        def view(target: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = original(target)
            proxy = next((p for p in rds._db_proxies.values() if target in p.get("Targets", [])), None)
            words = database_proxies.refusal(proxy, get_region()) if proxy else None
            if words:
                found["TargetHealth"] = {"State": "UNAVAILABLE", "Reason": "AUTH_FAILURE", "Description": words}
            return found

        return view

    wrap_action(rds, "_ACTION_MAP", "CreateDBProxy", create)
    wrap_action(rds, "_ACTION_MAP", "DeleteDBProxy", delete)
    wrap_action(rds, "_ACTION_MAP", "RegisterDBProxyTargets", register)
    wrap_action(rds, "_ACTION_MAP", "DeregisterDBProxyTargets", register)
    replace(rds, "_db_proxy_target_view", health)


@resource(
    "AWS::RDS::DBProxy",
    tags="Tags",
    recorded=_PASSED_THROUGH,
    replaced_by=("DBProxyName", "EndpointNetworkType", "EngineFamily", "TargetConnectionNetworkType", "VpcSubnetIds"),
)
class DBProxy:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbproxy.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        name = properties.get("DBProxyName") or provisioners._physical_name(
            stack_name, logical_id, lowercase=True, max_len=60
        )
        _call(
            "CreateDBProxy",
            DBProxyName=name,
            EngineFamily=properties.get("EngineFamily"),
            VpcSubnetIds={"member": properties.get("VpcSubnetIds") or []},
            VpcSecurityGroupIds={"member": properties.get("VpcSecurityGroupIds") or []},
            Tags={"member": properties.get("Tags") or []},
            **self._changeable(properties),
        )
        return name, self._attributes(name)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        _call(
            "ModifyDBProxy",
            DBProxyName=physical_id,
            SecurityGroups={"member": new.get("VpcSecurityGroupIds") or []},
            **self._changeable(new),
        )
        return physical_id, self._attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        _call("DeleteDBProxy", ("DBProxyNotFoundFault",), DBProxyName=physical_id)

    @staticmethod
    def _changeable(properties: Properties) -> dict[str, Any]:
        names = ("DebugLogging", "DefaultAuthScheme", "IdleClientTimeout", "RequireTLS", "RoleArn")
        found = {name: properties[name] for name in names if name in properties}
        return {**found, "Auth": {"member": properties.get("Auth") or []}}

    @staticmethod
    def _attributes(name: str) -> dict[str, Any]:
        from ministack.services import rds

        proxy = rds._db_proxies[name]
        return {"DBProxyArn": proxy["DBProxyArn"], "Endpoint": proxy["Endpoint"], "VpcId": proxy["VpcId"]}


@resource(
    "AWS::RDS::DBProxyTargetGroup",
    recorded="its target counts; the sizes of the connection pool are recorded only",
    replaced_by=("DBProxyName", "TargetGroupName"),
)
class DBProxyTargetGroup:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbproxytargetgroup.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        self._apply(properties, {})
        return self._identity(properties)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        self._apply(new, old)
        return self._identity(new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        self._targets("DeregisterDBProxyTargets", properties, ("DBProxyNotFoundFault", "DBProxyTargetNotFoundFault"))

    @staticmethod
    def _targets(action: str, properties: Properties, ignore: tuple[str, ...] = ()) -> None:
        _call(
            action,
            ignore,
            DBProxyName=properties["DBProxyName"],
            TargetGroupName=properties.get("TargetGroupName"),
            DBInstanceIdentifiers={"member": properties.get("DBInstanceIdentifiers") or []},
            DBClusterIdentifiers={"member": properties.get("DBClusterIdentifiers") or []},
        )

    def _apply(self, new: Properties, old: Properties) -> None:
        kinds = ("DBInstanceIdentifiers", "DBClusterIdentifiers")
        if any(new.get(kind) != old.get(kind) for kind in kinds):
            if any(old.get(kind) for kind in kinds):
                self._targets("DeregisterDBProxyTargets", old, ("DBProxyTargetNotFoundFault",))
            self._targets("RegisterDBProxyTargets", new)
        pool = dict(new.get("ConnectionPoolConfigurationInfo") or {})
        filters = pool.pop("SessionPinningFilters", [])
        if pool or filters:
            _call(
                "ModifyDBProxyTargetGroup",
                DBProxyName=new["DBProxyName"],
                TargetGroupName=new.get("TargetGroupName") or "default",
                ConnectionPoolConfig={**pool, "SessionPinningFilters": {"member": filters}},
            )

    @staticmethod
    def _identity(properties: Properties) -> Created:
        from ministack.services import rds

        arn = rds._db_proxies[properties["DBProxyName"]]["TargetGroup"]["TargetGroupArn"]
        return arn, {"TargetGroupArn": arn}


REGISTRY.on_start.append(PROXIES.start)
REGISTRY.on_reset.append(PROXIES.reset)
