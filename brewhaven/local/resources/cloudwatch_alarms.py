"""CloudWatch alarms: they watch exactly their metric or expression, know missing data, and move by themselves.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Alarms.html
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from brewhaven.local.emulator import Response, handler_error
from brewhaven.local.engines.alarm_states import newest_values, state_of, understands
from brewhaven.local.engines.metric_math import ExpressionError
from brewhaven.local.registry import REGISTRY, Created, Properties, correction, replace, resource

logger = logging.getLogger("brewhaven.local.cloudwatch")

Record = dict[str, Any]
# How often alarms are looked at; CloudWatch does so once a minute.
PERIOD_SECONDS = 5.0
_COMPOSITE = "AWS::CloudWatch::CompositeAlarm"
_running = threading.Lock()


def _refusal(alarm: Record) -> str | None:
    """What is wrong with an alarm, or not emulated."""
    if not understands(str(alarm.get("ComparisonOperator"))):
        return (
            f"The local cloud compares with static thresholds only, not with {alarm.get('ComparisonOperator')}: "
            "there is no anomaly detection"
        )
    if alarm.get("Metrics"):
        watched = [query for query in alarm["Metrics"] if query.get("ReturnData", True)]
        if len(watched) != 1:
            return "Exactly one element of the metrics list should return data."
    elif not alarm.get("MetricName") or not alarm.get("Namespace"):
        return "The parameters MetricName and Namespace, or Metrics, must be specified."
    try:
        newest_values({"StateValue": "OK", **alarm}, time.time())
    except (ExpressionError, KeyError) as error:
        return str(error) if isinstance(error, ExpressionError) else f"The metrics list lacks {error}"
    return None


def _with_metrics(alarm: Record, metrics: list[Record]) -> Record:
    """An alarm over an expression has no metric of its own."""
    for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
        alarm.pop(name, None)
    alarm["Metrics"] = metrics
    return alarm


def evaluate(alarm: Record) -> None:
    """Give an alarm the state it should have now; tell its actions and the alarms above it if that is another."""
    from ministack.services import cloudwatch

    state, reason = state_of(alarm, time.time())
    before = alarm["StateValue"]
    if state == before:
        return
    alarm["StateValue"], alarm["StateReason"] = state, reason
    alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = int(time.time())
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


@correction
def alarms_watch_what_they_name() -> None:
    """The emulator's alarms look at every metric of the name, whatever its dimensions, and never at missing data.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    from ministack.services import cloudwatch
    from ministack.services.cloudformation import provisioners

    def put(original: Any) -> Any:
        def handle(parameters: Record, document: Record, is_cbor: bool, is_json: bool = False) -> Response:
            from brewhaven.local.resources.cloudwatch_metrics import from_query

            known = cloudwatch._alarms.get(document.get("AlarmName") or cloudwatch._p(parameters, "AlarmName"))
            metrics = document.get("Metrics") or from_query(parameters, "Metrics")
            answer: Response = original(parameters, document, is_cbor, is_json)
            if answer[0] >= 400:
                return answer
            alarm = cloudwatch._alarms[document.get("AlarmName") or cloudwatch._p(parameters, "AlarmName")]
            if metrics:
                _with_metrics(alarm, metrics)
            refusal = _refusal(alarm)
            if refusal is not None:
                cloudwatch._alarms.pop(alarm["AlarmName"])
                if known is not None:
                    cloudwatch._alarms[alarm["AlarmName"]] = known
                return cloudwatch._error("ValidationError", refusal, 400, use_json=is_json, use_cbor=is_cbor)  # type: ignore[no-any-return]
            evaluate(alarm)
            return answer

        return handle

    def record(original: Any) -> Any:
        def of_template(name: str, properties: Properties) -> Record:
            stand_in = {"MetricName": "-", "Namespace": "-"} if properties.get("Metrics") else {}
            alarm: Record = original(name, {**properties, **stand_in, "Metrics": None})
            if properties.get("Metrics"):
                _with_metrics(alarm, properties["Metrics"])
            refusal = _refusal(alarm)
            if refusal is not None:
                raise handler_error(refusal, "CloudWatch", 400, "InvalidRequest")
            return alarm

        return of_template

    def quietly(_original: Any) -> Any:
        def run(alarm: Record) -> None:
            # Also called by the emulator before an alarm of an expression is complete.
            if alarm.get("Metrics") or (alarm.get("MetricName") and alarm.get("Namespace")):
                try:
                    evaluate(alarm)
                except (ExpressionError, KeyError):
                    logger.exception("The alarm %s could not be evaluated", alarm["AlarmName"])

        return run

    replace(cloudwatch, "_put_metric_alarm", put)
    replace(cloudwatch, "_evaluate_alarm", quietly)
    replace(provisioners, "_cw_metric_alarm_record", record)


@resource(_COMPOSITE, replaced_by=("AlarmName",), tags="Tags")
class CompositeAlarm:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudwatch-compositealarm.html"""

    _FIELDS = (
        "AlarmDescription", "AlarmRule", "ActionsEnabled", "AlarmActions", "OKActions", "InsufficientDataActions",
    )  # fmt: skip

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        name = properties.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
        return self._put(name, properties)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        return self._put(physical_id, new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import cloudwatch

        answer = cloudwatch._delete_alarms({}, {"AlarmNames": [physical_id]}, False, True)
        self._succeed(answer, ignore="NotFound")

    def _put(self, name: str, properties: Properties) -> Created:
        from ministack.services import cloudwatch

        document = {"AlarmName": name, **{key: properties[key] for key in self._FIELDS if key in properties}}
        for unemulated in ("ActionsSuppressor",):
            if properties.get(unemulated):
                raise handler_error(f"The local cloud knows no {unemulated}", "CloudWatch", 400, "InvalidRequest")
        self._succeed(cloudwatch._put_composite_alarm({}, document, False, True))
        cloudwatch.cloudformation_set_metric_alarm_tags(name, properties.get("Tags") or [])
        return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}

    @staticmethod
    def _succeed(answer: Response, ignore: str = "") -> None:
        from brewhaven.local.emulator import error_of

        if answer[0] >= 400:
            code, message = error_of(answer)
            if not ignore or ignore not in code:
                raise handler_error(message, "CloudWatch", 400)


def look_at_all() -> None:
    """Evaluate every alarm of every account and region once."""
    from ministack.core.responses import request_scope
    from ministack.services import cloudwatch

    for (account, region, _name), alarm in list(cloudwatch._alarms.all_items()):
        with request_scope(account, region):
            cloudwatch._evaluate_alarm(alarm)


def _run() -> None:
    while True:
        time.sleep(PERIOD_SECONDS)
        try:
            look_at_all()
        except Exception:
            logger.exception("Looking at alarms failed")


def _start() -> None:
    if _running.acquire(blocking=False):
        threading.Thread(target=_run, daemon=True, name="alarms").start()


REGISTRY.on_start.append(_start)
REGISTRY.recorded["AWS::CloudWatch::Alarm"] = (
    "alarms look back from this moment every few seconds, not at whole minutes; of their actions only SNS topics are "
    "told"
)
REGISTRY.recorded["AWS::CloudWatch::Dashboard"] = (
    "kept and answered by the API; there is no console that draws it, its metrics answer GetMetricData"
)
