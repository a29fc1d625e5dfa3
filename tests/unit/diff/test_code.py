"""The line of CDK code beside each change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from brewhaven.diff.code import lesson_title
from brewhaven.diff.compare import compare
from brewhaven.diff.model import Comparison, Deployment, Frame, GrantCall
from brewhaven.diff.render import markup
from brewhaven.diff.sources.assembly import read_assembly
from tests.unit.diff.sides import resource, side

STACK = """class Shop(Stack):
    @lesson("1.1", "The menu")
    def menu(self) -> None:
        self.catalog = CatalogTable(self, "CatalogTable")

    @lesson("1.2", "Access patterns")
    def patterns(self) -> None:
        self.catalog.add_index(BY_CATEGORY)

    @lesson("1.3", "More")
    def more(self) -> None:
        self.catalog.add_index(OPEN_ORDERS)
"""
FRAMES = (Frame("stacks/shop.py", 4, "menu"),)


def table(indexes: int, code: str = STACK, lesson: str | None = None, frames: Any = FRAMES) -> Deployment:
    properties = {"GlobalSecondaryIndexes": [{"IndexName": str(number)} for number in range(indexes)]}
    found = side({"T": resource("AWS::DynamoDB::Table", "CatalogTable/Table", properties)})
    stack = found.stacks["Shop"]
    traced = {"T": replace(stack.resources["T"], frames=frames)}
    sources = {"stacks/shop.py": code} if code else {}
    return Deployment("x", {"Shop": replace(stack, resources=traced)}, sources, lesson)


def test_a_lesson_is_called_by_its_title() -> None:
    assert lesson_title({"stacks/shop.py": STACK}, "1.2") == "Access patterns"
    assert lesson_title({"stacks/shop.py": STACK}, "1.9") == ""


def lines(comparison: Comparison) -> list[str]:
    (change,) = comparison.resources
    return [line.place for line in change.code]


def test_what_is_new_shows_the_line_that_made_it(tmp_path: Path) -> None:
    found = compare(side({}), table(0), tmp_path)
    assert lines(found) == ["stacks/shop.py:4"]
    assert found.resources[0].code[0].text == 'self.catalog = CatalogTable(self, "CatalogTable")'


def test_what_a_lesson_changes_shows_the_line_of_that_lesson(tmp_path: Path) -> None:
    found = compare(table(1, lesson="1.2"), table(2, lesson="1.3"), tmp_path)
    assert lines(found) == ["stacks/shop.py:12", "stacks/shop.py:4"]


def test_going_back_shows_the_line_that_is_taken_away(tmp_path: Path) -> None:
    found = compare(table(2, lesson="1.3"), table(1, lesson="1.2"), tmp_path)
    assert lines(found)[0] == "stacks/shop.py:12"


def test_between_revisions_the_line_that_differs_is_shown(tmp_path: Path) -> None:
    changed = STACK.replace('CatalogTable(self, "CatalogTable")', 'CatalogTable(self, "CatalogTable", big=True)')
    found = compare(table(0), table(1, code="# a comment above\n" + changed), tmp_path)
    assert lines(found)[0] == "stacks/shop.py:5"


def test_without_traces_the_construct_is_found_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "shop.py").write_text(STACK)
    found = compare(side({}), table(0, code="", frames=()), tmp_path)
    assert lines(found) == ["stacks/shop.py:4"]
    assert not found.resources[0].code[0].exact


def test_code_is_not_taken_for_markup(tmp_path: Path) -> None:
    hostile = STACK.replace("self.catalog = ", "self.catalog = '<b>' or ")
    found = compare(side({}), table(0, code=hostile), tmp_path)
    assert "&lt;b&gt;" in markup.code(found.resources[0].code[0])
    assert "<b>" not in markup.code(found.resources[0].code[0])


def test_a_fact_shows_the_line_of_what_it_is_about(tmp_path: Path) -> None:
    before = table(0)
    after = table(0)
    stack = after.stacks["Shop"]
    secret = replace(stack.resources["T"], type="AWS::SecretsManager::Secret", path="Key", properties={})
    after = after.with_stacks({"Shop": replace(stack, resources={"T": secret})})
    (cost,) = compare(before, after, tmp_path).about("cost")
    assert [line.place for line in cost.code] == ["stacks/shop.py:4"]


MADE = "stacks/shop.py:4"
"""Where the table is made: what is shown when no call fits."""


def call(method: str, on: str, given: str, *words: str, line: int = 8) -> GrantCall:
    given_paths = (given,) if given else ()
    return GrantCall(method, (on,) if on else (), given_paths, words, (Frame("stacks/shop.py", line, "patterns"),))


def granted(tmp_path: Path, *calls: GrantCall, actions: Any = "dynamodb:GetItem") -> list[str]:
    """The lines shown for a permission of the function `Menu` on the table `CatalogTable`."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": {"Fn::GetAtt": ["T", "Arn"]}}
    policy = {"PolicyDocument": {"Statement": statement}, "Roles": [{"Ref": "R"}]}
    after = side(
        {
            "T": resource("AWS::DynamoDB::Table", "CatalogTable/Table"),
            "R": resource("AWS::IAM::Role", "Menu/Function/ServiceRole"),
            "P": resource("AWS::IAM::Policy", "Menu/Function/ServiceRole/DefaultPolicy", policy),
        }
    )
    after = replace(after, code={"stacks/shop.py": STACK}, grants=calls)
    before = side({"T": resource("AWS::DynamoDB::Table", "CatalogTable/Table")})
    (access,) = compare(before, after, tmp_path).about("access")
    return [line.place for line in access.code]


def test_a_permission_shows_the_call_that_grants_it(tmp_path: Path) -> None:
    right = call("grantRead", "CatalogTable/Table", "Menu/Function", line=8)
    other_object = call("grantRead", "Other/Table", "Menu/Function", line=4)
    other_grantee = call("grantRead", "CatalogTable/Table", "Kitchen/Function", line=12)
    assert granted(tmp_path, other_object, other_grantee, right) == ["stacks/shop.py:8"]


def test_a_statement_is_known_by_its_actions(tmp_path: Path) -> None:
    right = call("addToPolicy", "Menu/Function/ServiceRole", "", "dynamodb:GetItem", line=8)
    other = call("addToPolicy", "Menu/Function/ServiceRole", "", "ssm:GetParameter", line=12)
    assert granted(tmp_path, other, right) == ["stacks/shop.py:8"]
    assert granted(tmp_path, other) == [MADE]


def test_a_grant_on_other_objects_of_the_same_kind_is_another(tmp_path: Path) -> None:
    other = call("addToPrincipal", "", "Menu/Function", "dynamodb:GetItem", "${Token[TOKEN.1]}/index/Other")
    assert granted(tmp_path, other) == [MADE]


def test_a_port_shows_the_call_that_opens_it(tmp_path: Path) -> None:
    rules = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"} for port in (80, 443)]
    group = resource("AWS::EC2::SecurityGroup", "Shop/SecurityGroup", {"SecurityGroupIngress": rules})
    calls = [
        call("addIngressRule", "Shop/SecurityGroup", "", "80", line=4),
        call("addIngressRule", "Shop/SecurityGroup", "", "443", line=8),
    ]
    after = replace(side({"G": group}), code={"stacks/shop.py": STACK}, grants=tuple(calls))
    found = {change.fact.detail: change.code[0].line for change in compare(side({}), after, tmp_path).about("network")}
    assert found == {"in: TCP 80 from 10.0.0.0/8": 4, "in: TCP 443 from 10.0.0.0/8": 8}


def test_the_app_is_run_so_that_grants_are_noted(variant: Callable[[str], Path], tmp_path: Path) -> None:
    before, after = (read_assembly(variant(number), number) for number in ("1.1", "1.4"))
    (lost,) = compare(before, after, tmp_path).about("access")
    assert lost.kind == "removed"
    assert lost.code[0].text == "self.orders.grant_read_write_data(self.counter.function)"
