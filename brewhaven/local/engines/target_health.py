"""Health of load balancer targets: real requests to real processes, counted as AWS counts them.

Path, port, success codes and thresholds are the target group's. Its interval is shortened to two seconds, because a
student waits for what takes minutes on AWS.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import errno
import http.client
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from brewhaven.local.engines.network import NETWORK, UnreachableError
from brewhaven.local.engines.security_groups import Peer
from brewhaven.local.settings import HOST

logger = logging.getLogger("brewhaven.local.elb")

LONGEST_INTERVAL_SECONDS = 2.0
LONGEST_TIMEOUT_SECONDS = 5.0
# Until its first success a target is asked more often, and on AWS is given threshold times interval to start.
FIRST_INTERVAL_SECONDS = 0.3
LONGEST_PATIENCE_SECONDS = 10.0
PERIOD_SECONDS = 0.1
LONGEST_DRAINING_SECONDS = 5.0

Record = dict[str, Any]
Key = tuple[str, str, int]  # target group, target id, port

_WORDS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.Timeout": "Request timed out",
}


@dataclass
class Target:
    """One target of a group and what is known of it."""

    state: str = "initial"
    reason: str = "Elb.InitialHealthChecking"
    description: str = _WORDS["Elb.InitialHealthChecking"]
    registered: float = field(default_factory=time.monotonic)
    due: float = 0
    checking: bool = False
    passed: int = 0
    failed: int = 0
    drained_at: float = 0


def code_matches(matcher: str, code: int) -> bool:
    """Whether a status code is one that a matcher such as ``200,301-399`` names."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= code <= int(last or first):
            return True
    return False


def address_of(target: Record) -> str:
    """Private address of a target that is registered by its address or by its instance id."""
    from ministack.services import ec2

    identity = str(target["Id"])
    if identity.startswith("i-"):
        for (_account, _region, key), instance in ec2._instances.all_items():
            if key == identity:
                return str(instance.get("PrivateIpAddress", ""))
    return identity


def balancer_peer(group: Record) -> Peer | None:
    """The load balancer that uses a target group, as the source of connections; None if none does."""
    from ministack.services import alb

    listeners = {key[2]: listener for key, listener in alb._listeners.all_items()}
    balancers = {key[2]: balancer for key, balancer in alb._lbs.all_items()}
    for _key, rule in alb._rules.all_items():
        named = {action.get("TargetGroupArn") for action in rule.get("Actions") or []}
        listener = listeners.get(rule.get("ListenerArn"))
        if listener is None or group["TargetGroupArn"] not in named:
            continue
        balancer = balancers.get(listener["LoadBalancerArn"])
        if balancer is not None:
            return Peer(balancer.get("_ip", "0.0.0.0"), tuple(balancer.get("SecurityGroups") or ()))  # noqa: S104
    return None


class TargetHealth:
    """Checks the targets of every target group in a thread of its own."""

    def __init__(self) -> None:
        self._targets: dict[Key, Target] = {}
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="target-health")

    def start(self) -> None:
        """Begin checking; ends with the process."""
        threading.Thread(target=self._run, daemon=True, name="target-health").start()

    def state(self, group: str, identity: str) -> str:
        """``initial``, ``healthy``, ``unhealthy``, ``draining``, ``unused``; ``unused`` if it is not registered."""
        found = self._find(group, identity)
        return found.state if found else "unused"

    def description(self, group: str, identity: str) -> str:
        """Why it is in that state."""
        found = self._find(group, identity)
        return found.description if found else _WORDS["Target.NotInUse"]

    def _find(self, group: str, identity: str) -> Target | None:
        return next((t for (g, i, _), t in list(self._targets.items()) if (g, i) == (group, identity)), None)

    def of_group(self, group: str) -> list[tuple[str, int, Target]]:
        """Every target of a group, those that are draining included."""
        return [(identity, port, t) for (g, identity, port), t in list(self._targets.items()) if g == group]

    def _run(self) -> None:
        while True:
            time.sleep(PERIOD_SECONDS)
            try:
                self._round()
            except Exception:
                logger.exception("Checking targets failed")

    def _round(self) -> None:
        from ministack.services import alb

        now = time.monotonic()
        registered: set[Key] = set()
        for (account, _region, arn), group in list(alb._tgs.all_items()):
            for record in list(alb._targets.get_scoped(account, None, arn) or []):
                if group.get("TargetType") == "lambda":
                    continue
                key = (arn, str(record["Id"]), int(record.get("Port") or group.get("Port") or 80))
                registered.add(key)
                target = self._targets.get(key)
                if target is None or target.state == "draining":
                    target = self._targets[key] = Target()
                if not target.checking and target.due <= now:
                    target.checking = True
                    self._pool.submit(self._check, key, target, group, record)
        for key, target in list(self._targets.items()):
            if key not in registered:
                self._drain(key, target, now)

    def _drain(self, key: Key, target: Target, now: float) -> None:
        if target.state != "draining":
            target.state, target.reason = "draining", "Target.DeregistrationInProgress"
            target.description, target.drained_at = _WORDS[target.reason], now + LONGEST_DRAINING_SECONDS
        elif target.drained_at < now:
            self._targets.pop(key, None)

    def _check(self, key: Key, target: Target, group: Record, record: Record) -> None:
        interval = min(LONGEST_INTERVAL_SECONDS, float(group["HealthCheckIntervalSeconds"]))
        try:
            peer = balancer_peer(group)
            if peer is None:
                self._set(key, target, "unused", "Target.NotInUse", _WORDS["Target.NotInUse"])
                return
            reason, description = self._probe(key, peer, group, record)
            if reason is None:
                target.passed, target.failed = target.passed + 1, 0
                # The first success counts at once, later ones have to reach the threshold.
                if target.state in ("initial", "unused") or target.passed >= group["HealthyThresholdCount"]:
                    self._set(key, target, "healthy", "", "")
            else:
                target.passed, target.failed = 0, target.failed + 1
                threshold = int(group["UnhealthyThresholdCount"])
                patience = min(LONGEST_PATIENCE_SECONDS, threshold * float(group["HealthCheckIntervalSeconds"]))
                patient = target.state == "initial" and time.monotonic() - target.registered < patience
                if target.failed >= threshold and not patient:
                    self._set(key, target, "unhealthy", reason, description)
        except Exception:
            logger.exception("Checking target %s failed", key)
        finally:
            soon = target.state in ("initial", "unused")
            target.due = time.monotonic() + (min(FIRST_INTERVAL_SECONDS, interval) if soon else interval)
            target.checking = False

    def _set(self, key: Key, target: Target, state: str, reason: str, description: str) -> None:
        if target.state == "draining":
            return
        if target.state != state:
            log = logger.warning if state == "unhealthy" else logger.info
            log("Target %s:%d is %s%s", key[1], key[2], state, f": {description}" if description else "")
        target.state, target.reason, target.description = state, reason, description

    @staticmethod
    def _probe(key: Key, peer: Peer, group: Record, record: Record) -> tuple[str | None, str]:
        """Check once; return reason and description of a failure, or None."""
        port = key[2] if group["HealthCheckPort"] == "traffic-port" else int(group["HealthCheckPort"])
        ip = address_of(record)
        connection = None
        try:
            inner = NETWORK.route(peer, ip, port)
            timeout = min(LONGEST_TIMEOUT_SECONDS, float(group["HealthCheckTimeoutSeconds"]))
            connection = http.client.HTTPConnection(HOST, inner, timeout=timeout)
            headers = {"Host": f"{ip}:{port}", "User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
            connection.request("GET", group["HealthCheckPath"], headers=headers)
            code = connection.getresponse().status
        except UnreachableError as error:
            reason = "Target.Timeout" if error.errno == errno.ETIMEDOUT else "Target.FailedHealthChecks"
            return reason, f"{_WORDS[reason]} ({error.strerror})"
        except TimeoutError:
            return "Target.Timeout", _WORDS["Target.Timeout"]
        except (OSError, http.client.HTTPException):
            return "Target.FailedHealthChecks", _WORDS["Target.FailedHealthChecks"]
        finally:
            if connection is not None:
                connection.close()
        if code_matches(str(group["Matcher"]["HttpCode"]), code):
            return None, ""
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"


TARGETS = TargetHealth()
