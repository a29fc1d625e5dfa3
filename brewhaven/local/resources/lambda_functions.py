"""``AWS::Lambda::*`` where a template asks for more than the emulator keeps."""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import add_attributes, handler_error, wrap_handler
from brewhaven.local.registry import Created, Properties, correction


@correction
def functions_need_their_code() -> None:
    """A function whose code is not in the bucket is not created; the emulator makes one that answers a mock.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    """
    from ministack.services import lambda_svc

    def build(original: Any) -> Any:
        def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
            code = properties.get("Code") or {}
            if code.get("S3Bucket"):
                found = lambda_svc._fetch_code_from_s3(
                    code["S3Bucket"], code["S3Key"], version_id=code.get("S3ObjectVersion")
                )
                if found is None:
                    raise handler_error(
                        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key "
                        f"does not exist: {code['S3Bucket']}/{code['S3Key']}",
                        "Lambda",
                        400,
                        "InvalidRequest",
                    )
            made: Created = original(logical_id, properties, stack_name)
            _apply(made[0], {}, properties)
            return made

        return create

    def update(original: Any) -> Any:
        def change(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Created:
            changed: Created = original(physical_id, old, new, *rest)
            _apply(changed[0], old if changed[0] == physical_id else {}, new)
            return changed

        return change

    wrap_handler("AWS::Lambda::Function", "create", build)
    wrap_handler("AWS::Lambda::Function", "update", update)


@correction
def processes_end_with_their_function() -> None:
    """A deleted function runs no more and holds no network interface; the emulator leaves its warm processes."""

    def build(original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            original(physical_id, properties)
            _end_processes(physical_id)

        return delete

    wrap_handler("AWS::Lambda::Function", "delete", build)


def _end_processes(name: str) -> None:
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import lambda_svc

    lambda_svc.invalidate_worker(name, account=get_account_id(), region=get_region())


def _apply(name: str, old: Properties, new: Properties) -> None:
    """Network, dead-letter queue and reserved concurrency, which the emulator's create drops."""
    from ministack.services import lambda_svc

    function = lambda_svc._functions[name]
    function["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(new.get("VpcConfig"))
    if old and old.get("VpcConfig") != new.get("VpcConfig"):
        _end_processes(name)  # the next one starts in the other network
    function["config"]["DeadLetterConfig"] = new.get("DeadLetterConfig") or {}
    reserved = new.get("ReservedConcurrentExecutions")
    if reserved != old.get("ReservedConcurrentExecutions"):
        function["concurrency"] = None if reserved is None else int(reserved)


@correction
def versions_answer_their_arn() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-version.html"""
    add_attributes("AWS::Lambda::Version", lambda arn, _: {"FunctionArn": arn})
