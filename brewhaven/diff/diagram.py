"""A diagram of both sides in one: components are boxes, data paths are numbered arrows, drawn as SVG.

Both sides share one layout, so that switching between before and after moves nothing: what changes is what changed.
Every state has a sign (+ - ~) and a stroke of its own beside its colour.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from brewhaven.diff.facts.paths import INTERNET
from brewhaven.diff.model import Comparison, Edge, Resource
from brewhaven.diff.names import NOUNS, is_helper, noun_of, service_of
from brewhaven.diff.values import shorten

State = Literal["added", "removed", "changed", "same"]
STATE_SIGNS: dict[State, str] = {"added": "+", "removed": "-", "changed": "~", "same": ""}
Point = tuple[float, float]
MOST_ROWS = 5
_WIDTH, _HEAD, _ROW = 216, 34, 20
_CLEAR = 22
"""How far apart two numbers stand, where there is room."""
_GAP_X, _GAP_Y, _MARGIN = 128, 26, 16
_QUIET = {
    "AWS::EC2::InternetGateway", "AWS::EC2::LaunchTemplate", "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet",
    "AWS::IAM::InstanceProfile", "AWS::IAM::Policy", "AWS::Lambda::Version", "AWS::S3::BucketPolicy",
    "AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::Lambda::LayerVersion", "AWS::ServiceDiscovery::Service",
    "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::Logs::LogGroup",
    "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ECS::TaskDefinition", "AWS::IAM::Role", "AWS::ECS::Cluster",
}  # fmt: skip
"""Types that a component's box leaves out while it has better to show."""


@dataclass
class Node:
    """A component, its rows of resources and its place."""

    name: str
    state: State
    rows: list[tuple[State, str]] = field(default_factory=list)
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def height(self) -> float:
        return _HEAD + _ROW * len(self.rows) + (8 if self.rows else 0)


@dataclass(frozen=True)
class Arrow:
    """A data path: its number in the legend, its state, and what the ways were and are."""

    number: int
    source: str
    target: str
    state: State
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Diagram:
    """Boxes and arrows of both sides."""

    nodes: dict[str, Node]
    arrows: tuple[Arrow, ...]


def build(comparison: Comparison) -> Diagram:
    """Components and data paths of both sides with their state."""
    nodes = _nodes(comparison)
    arrows: list[Arrow] = []
    before, after = _by_pair(comparison.edges_before), _by_pair(comparison.edges_after)
    for pair in [*after, *(pair for pair in before if pair not in after)]:
        old, new = before.get(pair), after.get(pair)
        if not {INTERNET, *nodes} >= set(pair):
            continue
        state = _state(old is not None, new is not None, bool(old and new and set(old.ways) != set(new.ways)))
        ways = (old.ways if old else (), new.ways if new else ())
        arrows.append(Arrow(len(arrows) + 1, *pair, state, *ways))
    outside = [arrow.state for arrow in arrows if INTERNET in (arrow.source, arrow.target)]
    if outside:
        lonely = len(set(outside)) == 1 and outside[0] != "changed"
        nodes = {INTERNET: Node(INTERNET, outside[0] if lonely else "same"), **nodes}
    _layers(nodes, arrows)
    return Diagram(nodes, tuple(arrows))


def _by_pair(edges: tuple[Edge, ...]) -> dict[tuple[str, str], Edge]:
    return {(edge.source, edge.target): edge for edge in edges}


def _state(before: bool, after: bool, changed: bool) -> State:
    if before and after:
        return "changed" if changed else "same"
    return "added" if after else "removed"


def _nodes(comparison: Comparison) -> dict[str, Node]:
    old: dict[str, list[Resource]] = {}
    new: dict[str, list[Resource]] = {}
    for side, found in ((comparison.aligned, old), (comparison.after, new)):
        for resource in side:
            if not is_helper(resource):
                found.setdefault(resource.component, []).append(resource)
    touched = {
        change.resource.key
        for change in comparison.resources
        if change.kind in {"changed", "renamed"} and not change.follows
    }
    nodes = {}
    for name in [*new, *(name for name in old if name not in new)]:
        before, after = old.get(name, []), new.get(name, [])
        states = _resource_states(before, after, touched)
        changed = any(state != "same" for state in states.values())
        node = Node(name, _state(bool(before), bool(after), changed))
        node.rows = _rows(after + [item for item in before if item.key not in {one.key for one in after}], states)
        nodes[name] = node
    return nodes


def _resource_states(
    before: list[Resource], after: list[Resource], touched: set[tuple[str, str]]
) -> dict[object, State]:
    ours, theirs = {item.key for item in before}, {item.key for item in after}
    return {key: _state(key in ours, key in theirs, key in touched) for key in ours | theirs}


def _rows(resources: list[Resource], states: dict[object, State]) -> list[tuple[State, str]]:
    """The resources worth a row, those that changed first, equal ones counted."""
    worth = [item for item in resources if item.type in NOUNS and item.type not in _QUIET]
    if all(item.type.startswith("AWS::IAM::") for item in worth):  # a component that is about access alone
        worth = [item for item in resources if item.type in NOUNS and item.type != "AWS::IAM::Policy"] or resources
    counted: Counter[tuple[State, str]] = Counter()
    for item in worth:
        counted[states[item.key], _kind(item.type)] += 1
    order: list[State] = ["added", "removed", "changed", "same"]
    rows = [
        (state, words if number == 1 else f"{words} ({number})")
        for (state, words), number in sorted(counted.items(), key=lambda entry: order.index(entry[0][0]))
    ]
    quiet = (item for item in resources if item not in worth and states[item.key] != "same")
    quiet_changes = Counter((states[item.key], noun_of(item.type)) for item in quiet)
    if len(rows) > MOST_ROWS:
        rest = len(rows) - MOST_ROWS + 1
        rows = [*rows[: MOST_ROWS - 1], ("same", f"and {rest} kinds more")]
    elif not any(state != "same" for state, _ in rows):
        rows += [
            (state, f"its {words}" if number == 1 else f"its {words} ({number})")
            for (state, words), number in quiet_changes.most_common(MOST_ROWS - 1)
        ]
    return rows


def _kind(type_: str) -> str:
    """`DynamoDB table`; without the service where that would be too long for a box."""
    words = f"{service_of(type_)} {noun_of(type_)}"
    return words if len(words) <= 22 else noun_of(type_)


def _layers(nodes: dict[str, Node], arrows: list[Arrow]) -> None:
    """A component stands one layer after whatever talks to it; a cycle is cut where it is met."""
    sources: dict[str, list[str]] = {name: [] for name in nodes}
    for arrow in arrows:
        sources[arrow.target].append(arrow.source)

    def depth(name: str, seen: tuple[str, ...]) -> int:
        found = [depth(source, (*seen, name)) + 1 for source in sources[name] if source not in (*seen, name)]
        return max(found, default=0)

    talking = {arrow.source for arrow in arrows} | {arrow.target for arrow in arrows}
    for name, node in nodes.items():
        node.layer = depth(name, ())
    first = 1 if INTERNET in nodes else 0
    for name, node in nodes.items():
        if name not in talking or (not sources[name] and name != INTERNET):
            node.layer = max(node.layer, first)
    used = sorted({node.layer for node in nodes.values()})
    for node in nodes.values():
        node.layer = used.index(node.layer)


def svg(diagram: Diagram, *, tall: bool, id_: str) -> str:
    """Draw a diagram.

    Args:
        tall: One column with arrows beside it, for a phone; otherwise layers from left to right.
        id_: Makes the ids of markers unique in the page.
    """
    if not diagram.nodes:
        return ""
    width, height = _place_tall(diagram) if tall else _place_wide(diagram)
    states: list[State] = ["added", "removed", "changed", "same"]
    markers = "".join(
        f'<marker id="{id_}-{state}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" '
        f'markerWidth="11" markerHeight="11" '
        f'orient="auto-start-reverse"><path class="head {state}" d="M0 0 10 5 0 10z"/></marker>'
        for state in states
    )
    paths, badges = [], []
    taken: list[Point] = []
    for arrow in diagram.arrows:
        curve, places = _tall_curve(diagram, arrow) if tall else _wide_curve(diagram, arrow)
        paths.append(f'<path class="arrow {arrow.state}" d="{curve}" marker-end="url(#{id_}-{arrow.state})"/>')
        place = max(places, key=lambda point: min((_distance(point, other) for other in taken), default=_CLEAR))
        taken.append(next((point for point in places if all(_distance(point, o) >= _CLEAR for o in taken)), place))
        badges.append(_badge(arrow, *taken[-1]))
    boxes = "".join(_box(node) for node in diagram.nodes.values())
    title = "Components and data paths, numbered as in the list below"
    return (
        f'<svg class="diagram {"tall" if tall else "wide"}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{title}" style="max-width:{width:g}px"><defs>{markers}</defs>{"".join(paths)}{boxes}'
        f"{''.join(badges)}</svg>"
    )


def _place_wide(diagram: Diagram) -> tuple[float, float]:
    columns: dict[int, list[Node]] = {}
    for node in diagram.nodes.values():
        columns.setdefault(node.layer, []).append(node)
    place = {name: index for index, name in enumerate(diagram.nodes)}
    for layer in sorted(columns):
        columns[layer].sort(key=lambda node: (_pull(diagram, node, place), place[node.name]))
        for index, node in enumerate(columns[layer]):
            place[node.name] = index
    tallest = max(sum(node.height + _GAP_Y for node in column) - _GAP_Y for column in columns.values())
    for layer, column in columns.items():
        y = _MARGIN + (tallest - sum(node.height + _GAP_Y for node in column) + _GAP_Y) / 2
        for node in column:
            node.x, node.y = _MARGIN + layer * (_WIDTH + _GAP_X), y
            y += node.height + _GAP_Y
    return 2 * _MARGIN + len(columns) * (_WIDTH + _GAP_X) - _GAP_X, tallest + 2 * _MARGIN


def _pull(diagram: Diagram, node: Node, place: dict[str, int]) -> float:
    """The mean place of what talks to a node, so that arrows cross less."""
    found = [place[arrow.source] for arrow in diagram.arrows if arrow.target == node.name]
    return sum(found) / len(found) if found else place[node.name]


def _wide_curve(diagram: Diagram, arrow: Arrow) -> tuple[str, list[Point]]:
    """The path of an arrow, and points on it where its number may stand, the best first."""
    source, target = diagram.nodes[arrow.source], diagram.nodes[arrow.target]
    start = source.x + _WIDTH, source.y + _port(diagram, arrow, source, out=True)
    end_y = target.y + _port(diagram, arrow, target, out=False)
    if target.layer > source.layer:
        end = target.x, end_y
        bend = _GAP_X / 2 if target.layer == source.layer + 1 else _GAP_X
        first, second = (start[0] + bend, start[1]), (end[0] - bend, end_y)
    else:  # to a neighbour above or below, or back: round the right side
        end = target.x + _WIDTH, end_y
        out = max(start[0], end[0]) + _GAP_X / 2
        first, second = (out, start[1]), (out, end_y)
    points = (start, first, second, end)
    curve = "M{:g} {:g}C{:g} {:g} {:g} {:g} {:g} {:g}".format(*(number for point in points for number in point))
    return curve, [_on_curve(points, share) for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78)]


def _on_curve(points: tuple[Point, Point, Point, Point], share: float) -> Point:
    """The point of a cubic Bezier curve."""
    rest = 1 - share
    weights = (rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3)
    return (
        sum(weight * point[0] for weight, point in zip(weights, points, strict=True)),
        sum(weight * point[1] for weight, point in zip(weights, points, strict=True)),
    )


def _distance(one: Point, other: Point) -> float:
    """How far two numbers are apart; they are wider than high."""
    return max(abs(one[0] - other[0]) / 1.8, abs(one[1] - other[1]))


def _port(diagram: Diagram, arrow: Arrow, node: Node, *, out: bool) -> float:
    """Where on a box's side an arrow begins or ends, so that several do not share a point."""
    listed = [one for one in diagram.arrows if (one.source if out else one.target) == node.name]
    other = [diagram.nodes[one.target if out else one.source] for one in listed]
    ordered = [one for _, one in sorted(zip(other, listed, strict=True), key=lambda pair: (pair[0].y, pair[1].number))]
    return node.height * (ordered.index(arrow) + 1) / (len(ordered) + 1)


def _place_tall(diagram: Diagram) -> tuple[float, float]:
    y: float = _MARGIN / 2
    for node in sorted(diagram.nodes.values(), key=lambda node: node.layer):
        node.x, node.y = 2, y
        y += node.height + 18
    lanes = max(1, len(diagram.arrows))
    return _WIDTH + 2 + 20 + min(104, lanes * 14) + 24, y


def _tall_curve(diagram: Diagram, arrow: Arrow) -> tuple[str, list[Point]]:
    source, target = diagram.nodes[arrow.source], diagram.nodes[arrow.target]
    edge = source.x + _WIDTH
    lane = edge + 20 + min(104, len(diagram.arrows) * 14) * arrow.number / max(1, len(diagram.arrows))
    start = source.y + _port(diagram, arrow, source, out=True)
    end = target.y + _port(diagram, arrow, target, out=False)
    turn = 8 if end > start else -8
    curve = (
        f"M{edge:g} {start:g}H{lane - 8:g}Q{lane:g} {start:g} {lane:g} {start + turn:g}"
        f"V{end - turn:g}Q{lane:g} {end:g} {lane - 8:g} {end:g}H{edge:g}"
    )
    return curve, [(lane, start + (end - start) * share) for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.12, 0.88)]


def _badge(arrow: Arrow, x: float, y: float) -> str:
    words = f"{STATE_SIGNS[arrow.state]}{arrow.number}"
    width = 12 + 8 * len(words)
    return (
        f'<g class="badge {arrow.state}"><rect x="{x - width / 2:g}" y="{y - 10:g}" width="{width}" height="20" '
        f'rx="10"/><text x="{x:g}" y="{y + 4.5:g}" text-anchor="middle">{words}</text></g>'
    )


def _box(node: Node) -> str:
    x, y = node.x, node.y
    sign = STATE_SIGNS[node.state]
    name = shorten(node.name, 22 if sign else 26)
    name = name[:1].upper() + name[1:]
    shape = "outside" if node.name == INTERNET else "component"
    parts = [
        f'<g class="box {shape} {node.state}"><rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{node.height:g}" '
        f'rx="{17 if node.name == INTERNET else 8}"/>'
        f'<text class="name" x="{x + 12:g}" y="{y + 22:g}">{escape(name)}</text>'
    ]
    if sign:
        parts.append(
            f'<g class="badge {node.state}">'
            f'<rect x="{x + _WIDTH - 34:g}" y="{y + 7:g}" width="24" height="20" rx="10"/>'
            f'<text x="{x + _WIDTH - 22:g}" y="{y + 22:g}" text-anchor="middle">{sign}</text></g>'
        )
    for index, (state, words) in enumerate(node.rows):
        row_y = y + _HEAD + _ROW * index + 13
        mark = STATE_SIGNS[state] or "·"
        parts.append(
            f'<g class="row {state}"><text class="mark" x="{x + 14:g}" y="{row_y:g}">{mark}</text>'
            f'<text x="{x + 30:g}" y="{row_y:g}">{escape(shorten(words, 27))}</text></g>'
        )
    return "".join([*parts, "</g>"])
