"""The five ways of printing a comparison: each says everything, needs nothing else and takes nothing for markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import StringIO
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from brewhaven.diff import diagram
from brewhaven.diff.model import Comparison
from brewhaven.diff.render import data, markdown, page, projector, terminal
from brewhaven.diff.story import Story, tell
from tests.unit.diff.sides import resource, side

Difference = Callable[[Any, Any], Comparison]
EVIL = '<script>alert(1)</script> & "quoted" `x` [y](z) *b*'


@pytest.fixture
def comparison(difference: Difference) -> Comparison:
    """Something of every kind: added, removed, changed, renamed, replaced, gained, lost, and a hostile value."""
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}

    def shop(table: str, actions: list[str], level: str, key: str) -> dict[str, Any]:
        arn = {"Fn::GetAtt": [table, "Arn"]}
        statement = {"Effect": "Allow", "Action": actions, "Resource": arn}
        policy = {"PolicyDocument": {"Statement": [statement]}, "Roles": [{"Ref": "Role"}]}
        return {
            table: resource("AWS::DynamoDB::Table", f"{table}/Table", {"BillingMode": "PAY_PER_REQUEST"}),
            "Users": resource("AWS::DynamoDB::Table", "Users/Table", {"KeySchema": [{"AttributeName": key}]}),
            "Role": resource("AWS::IAM::Role", "Kitchen/Function/ServiceRole", {"AssumeRolePolicyDocument": trust}),
            "Policy": resource("AWS::IAM::Policy", "Kitchen/Function/ServiceRole/DefaultPolicy", policy),
            "Function": resource(
                "AWS::Lambda::Function",
                "Kitchen/Function",
                {"Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Environment": {"Variables": {"LEVEL": level, "EVIL": EVIL}}},
            ),
        }

    before = shop("Orders", ["dynamodb:GetItem", "dynamodb:PutItem"], "info", "id")
    after = shop("Sales", ["dynamodb:GetItem", "dynamodb:Query"], "debug", "pk")
    before["Old"] = resource("AWS::SQS::Queue", "OldQueue/Queue")
    after["Nat"] = resource("AWS::EC2::NatGateway", "Network/Nat")
    return difference(
        side(before, label=f"before {EVIL}"), side(after, label="after", Outputs={"Url": {"Value": EVIL}})
    )


@pytest.fixture
def story(comparison: Comparison) -> Story:
    return tell(comparison)


def in_terminal(story: Story, *, full: bool = False, width: int = 200) -> str:
    words = StringIO()
    terminal.show(story, Console(file=words, width=width, highlight=False), full=full)
    return words.getvalue()


class _Page(HTMLParser):
    """The words of a page, its tags, and whatever it would load."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.text, self.tags, self.loads, self.ids = "", list[str](), list[str](), list[str]()
        self._silent = False
        self.feed(words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._silent = tag in {"style", "script"}
        self.loads += [str(value) for name, value in attrs if name in {"src", "href", "srcset"} and value]
        self.ids += [str(value) for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data


def squeezed(words: str) -> str:
    return re.sub(r"\s+", " ", words)


def test_every_change_has_its_kind(comparison: Comparison) -> None:
    kinds = {change.resource.logical_id: change.kind for change in comparison.resources if not change.follows}
    assert kinds == {"Sales": "renamed", "Users": "changed", "Policy": "changed", "Function": "changed"} | {
        "Old": "removed", "Nat": "added",
    }  # fmt: skip


def test_the_terminal_says_every_item_with_sign_and_word(story: Story) -> None:
    words = squeezed(in_terminal(story))
    for section in story.sections:
        for item in section.items:
            assert f"{item.sign} {item.word}" in words
            assert squeezed(item.text) in words, section.id


def test_the_terminal_names_data_that_is_lost_first(story: Story) -> None:
    words = squeezed(in_terminal(story))
    assert (
        "Orders is renamed to Sales: CloudFormation makes a new, empty one, and the items of Orders are deleted"
        in words
    )
    assert words.index("Look twice") < words.index("Resources by construct")


def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(story: Story) -> None:
    for line in in_terminal(story, width=80).splitlines():
        assert len(line) <= 80
        assert line == line.rstrip() or line.startswith(("│", "╭", "╰"))


def test_full_shows_logical_ids_and_the_policy(story: Story) -> None:
    assert "Allow dynamodb:Query on" not in in_terminal(story)
    full = squeezed(in_terminal(story, full=True))
    assert "Allow dynamodb:Query on" in full
    assert "OldQueue OldQueue" not in full
    assert "OldQueue/Queue Old" in full


def test_markdown_says_every_item_and_takes_nothing_for_markup(story: Story) -> None:
    words = markdown.render(story)
    for section in story.sections:
        assert f"## {section.title.replace('#', '')}" in words
        for item in section.items:
            assert markdown.plain(item.text) in words
    assert "<script>" not in re.sub(r"`[^`]*`", "", words.replace("\\<", ""))
    assert "\\[y\\]" in words


def test_json_has_everything_in_full(comparison: Comparison, story: Story) -> None:
    document = json.loads(data.render(comparison, story))
    assert {entry["logical_id"] for entry in document["resources"]} >= {"Sales", "Users", "Nat", "Old"}
    renamed = next(entry for entry in document["resources"] if entry["logical_id"] == "Sales")
    assert (renamed["was"]["logical_id"], renamed["replacement"], renamed["holds"]) == (
        "Orders", "yes", "the items of the table",
    )  # fmt: skip
    assert len(document["facts"]) == len(comparison.facts)
    assert document["differs"] is True
    assert {fact["change"] for fact in document["facts"]} == {"added", "removed", "changed", "renamed"}


@pytest.mark.parametrize("render", [page.render, projector.render])
def test_a_page_needs_nothing_else(render: Any, comparison: Comparison, story: Story) -> None:
    found = _Page(render(comparison, story))
    assert [link for link in found.loads if not link.startswith("#")] == ["data:,"]
    assert found.tags.count("script") == 1
    assert len(found.ids) == len(set(found.ids)), "each id once"
    assert "url(http" not in render(comparison, story)


@pytest.mark.parametrize("render", [page.render, projector.render])
def test_a_page_says_every_item(render: Any, comparison: Comparison, story: Story) -> None:
    words = squeezed(_Page(render(comparison, story)).text)
    for section in story.sections:
        for item in section.items:
            if section.id not in {"replaced", "helpers"}:
                assert squeezed(item.text) in words, section.id
                assert item.word in words


def test_the_diagram_marks_every_state_with_a_sign(comparison: Comparison) -> None:
    drawn = diagram.build(comparison)
    states = {name: node.state for name, node in drawn.nodes.items()}
    assert states == {
        "Sales": "changed",
        "Users": "changed",
        "Kitchen": "changed",
        "OldQueue": "removed",
        "Network": "added",
    }
    for tall in (False, True):
        picture = ElementTree.fromstring(diagram.svg(drawn, tall=tall, id_="x"))  # noqa: S314  (our own)
        badges = ["".join(group.itertext()) for group in picture.iter("g") if "badge" in group.get("class", "")]
        assert badges.count("+") == 1
        assert badges.count("-") == 1
        assert badges.count("~") == 3
        (arrow,) = drawn.arrows
        assert f"~{arrow.number}" in badges


def test_boxes_of_the_diagram_do_not_cover_each_other(comparison: Comparison) -> None:
    drawn = diagram.build(comparison)
    for tall in (False, True):
        diagram.svg(drawn, tall=tall, id_="x")
        boxes = [(node.x, node.y, node.x + 216, node.y + node.height) for node in drawn.nodes.values()]
        for place, one in enumerate(boxes):
            for other in boxes[place + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, (one, other)


def test_before_and_after_share_one_layout(comparison: Comparison) -> None:
    words = page.render(comparison, tell(comparison))
    assert words.count('<svg class="diagram wide"') == 1
    assert all(f'data-view="{view}"' in words for view in ("before", "after", "changes"))


def test_equal_sides_say_so_everywhere(difference: Difference) -> None:
    nothing = difference({"Q": resource("AWS::SQS::Queue", "Q")}, {"Q": resource("AWS::SQS::Queue", "Q")})
    told = tell(nothing)
    assert told.summary == ("Nothing differs.",)
    assert told.sections == ()
    for words in (
        in_terminal(told),
        markdown.render(told),
        page.render(nothing, told),
        projector.render(nothing, told),
    ):
        assert "Nothing differs." in words


def test_what_only_follows_a_rename_stands_apart(difference: Difference) -> None:
    def shop(table: str) -> dict[str, Any]:
        return {
            table: resource("AWS::DynamoDB::Table", f"{table}/Table"),
            "F": resource("AWS::Lambda::Function", "Kitchen", {"Environment": {"Variables": {"T": {"Ref": table}}}}),
        }

    story = tell(difference(shop("Orders"), shop("Orders2")))
    (section,) = (section for section in story.sections if section.id == "follows")
    assert [(item.word, item.text) for item in section.items] == [("follows", "function Kitchen")]
    assert next(section.items).details == ("~ Environment.Variables.T: <Orders> -> <Orders2>",)
    assert "1 renamed, 1 follows a rename" in story.summary[0]
    changed = next(section for section in story.sections if section.id == "resources")
    assert [item.kind for item in changed.items] == ["renamed"]
