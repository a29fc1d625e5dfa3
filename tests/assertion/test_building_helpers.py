"""What the constructs share: packaging a function, and accepting a finding."""

from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from brew_constructs.acknowledge import acknowledge
from brew_constructs.python_function import python_function


def test_a_package_without_a_handler_is_refused(synthesize_alone: Callable[..., Template]) -> None:
    with pytest.raises(ValueError, match=r"the function barista_robot cannot be packaged without .*handler\.py"):
        synthesize_alone(lambda stack: python_function(stack, "barista_robot"))


def test_a_missing_extra_file_is_refused(synthesize_alone: Callable[..., Template], tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.json"
    with pytest.raises(ValueError, match=r"the function menu_seeder cannot be packaged without .*nowhere\.json"):
        synthesize_alone(lambda stack: python_function(stack, "menu_seeder", extra_files={"menu.json": nowhere}))


def asset_of(template: Template) -> str:
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    return str(function["Properties"]["Code"]["S3Key"])


def test_an_extra_file_is_part_of_the_asset(synthesize_alone: Callable[..., Template], tmp_path: Path) -> None:
    def with_menu(contents: str) -> str:
        menu = tmp_path / "menu.json"
        menu.write_text(contents, encoding="utf-8")
        extra_files = {"menu.json": menu}
        return asset_of(
            synthesize_alone(
                lambda stack: lambda_.Function(
                    stack, "Function", **python_function(stack, "menu_seeder", extra_files=extra_files)
                )
            )
        )

    assert with_menu("{}") == with_menu("{}")
    assert with_menu("{}") != with_menu("[]")


def test_a_package_alone_is_an_asset_too(synthesize_alone: Callable[..., Template]) -> None:
    template = synthesize_alone(
        lambda stack: lambda_.Function(stack, "Function", **python_function(stack, "menu_seeder"))
    )
    assert asset_of(template).endswith(".zip")


def test_a_finding_is_not_accepted_in_silence(synthesize_alone: Callable[..., Template]) -> None:
    def careless(stack: Stack) -> None:
        acknowledge(stack, {"AwsSolutions-S1": "because of this", "AwsSolutions-S10": " "})

    with pytest.raises(ValueError, match="say why these findings are accepted: AwsSolutions-S10"):
        synthesize_alone(careless)
