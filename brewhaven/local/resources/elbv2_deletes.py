"""Load balancers and target groups that are protected or in use are not deleted, nor clusters with services."""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import handler_error, query, succeed, wrap_action, wrap_handler
from brewhaven.local.registry import Properties, correction


def _is_protected(arn: str) -> bool:
    from ministack.services import alb

    return any(
        item["Key"] == "deletion_protection.enabled" and str(item["Value"]).lower() == "true"
        for item in alb._lb_attrs.get(arn, [])
    )


def _forwards_to(arn: str) -> bool:
    """Whether a listener or a rule sends requests to a target group."""
    from ministack.services import alb

    rules = (*alb._listeners.values(), *alb._rules.values())
    actions = [action for rule in rules for action in rule.get("DefaultActions", []) + rule.get("Actions", [])]
    groups = [group for action in actions for group in action.get("ForwardConfig", {}).get("TargetGroups", [])]
    return any(item.get("TargetGroupArn") == arn for item in (*actions, *groups))


@correction
def protected_and_used_balancers_stay() -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html"""
    from ministack.services import alb

    def delete_balancer(original: Any) -> Any:
        def action(parameters: dict[str, Any]) -> Any:
            arn = alb._p(parameters, "LoadBalancerArn")
            if arn in alb._lbs and _is_protected(arn):
                sentence = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
                return alb._error("OperationNotPermitted", sentence, 400)
            return original(parameters)

        return action

    def delete_group(original: Any) -> Any:
        def action(parameters: dict[str, Any]) -> Any:
            arn = alb._p(parameters, "TargetGroupArn")
            if arn in alb._tgs and _forwards_to(arn):
                sentence = f"Target group '{arn}' is currently in use by a listener or a rule"
                return alb._error("ResourceInUse", sentence, 400)
            return original(parameters)

        return action

    def balancer_of_a_stack(original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            if physical_id in alb._lbs and _is_protected(physical_id):
                sentence = f"Load balancer '{physical_id}' cannot be deleted because deletion protection is enabled"
                raise handler_error(sentence, "ElasticLoadBalancingV2", 400)
            original(physical_id, properties)

        return delete

    def group_of_a_stack(_original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            answer = alb._ACTION_MAP["DeleteTargetGroup"](query(TargetGroupArn=physical_id))
            succeed("ElasticLoadBalancingV2", answer, ignore=["TargetGroupNotFound"])

        return delete

    wrap_action(alb, "_ACTION_MAP", "DeleteLoadBalancer", delete_balancer)
    wrap_action(alb, "_ACTION_MAP", "DeleteTargetGroup", delete_group)
    wrap_handler("AWS::ElasticLoadBalancingV2::LoadBalancer", "delete", balancer_of_a_stack)
    wrap_handler("AWS::ElasticLoadBalancingV2::TargetGroup", "delete", group_of_a_stack)


@correction
def clusters_with_services_stay() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html"""
    from ministack.core.responses import error_response_json
    from ministack.services import ecs

    def build(original: Any) -> Any:
        def delete_cluster(request: dict[str, Any]) -> Any:
            cluster = ecs._clusters.get(ecs._resolve_cluster_name(request.get("cluster", "default")))
            arn = (cluster or {}).get("clusterArn")
            services = ecs._services.values()
            if arn and any(s.get("clusterArn") == arn and s.get("status") == "ACTIVE" for s in services):
                sentence = "The Cluster cannot be deleted while Services are active."
                return error_response_json("ClusterContainsServicesException", sentence, 400)
            return original(request)

        return delete_cluster

    def of_a_stack(_original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            answer = ecs._delete_cluster({"cluster": physical_id})
            succeed("Ecs", answer, ignore=["ClusterNotFoundException"])

        return delete

    wrap_action(ecs, "_ACTION_MAP", "DeleteCluster", build)
    wrap_handler("AWS::ECS::Cluster", "delete", of_a_stack)
