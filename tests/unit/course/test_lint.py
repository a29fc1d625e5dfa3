from pathlib import Path

import pytest

from brewhaven.course import checks, document, lint
from brewhaven.course.catalogue import Course, load
from brewhaven.errors import BrewHavenError
from tests.unit.course.conftest import LESSON, Edit


def problems(phases: Path, checked: set[str] | None = None) -> list[str]:
    course = load(phases)
    found = lint.course_problems(course, glossary=phases / "GLOSSARY.md", checked=checked)
    return [f"{problem.path.relative_to(phases)}:{problem.line}: {problem.message}" for problem in found]


def test_the_sample_keeps_every_rule(phases: Path, course: Course) -> None:
    assert problems(phases, set(checks.by_objective(course))) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("# 9.1 Counting cups", "# 9.1 Cups", 1, "the title must be '# 9.1 Counting cups'"),
        ("**Time**: 5 minutes on the local cloud, 7 on AWS.", "Soon.", 1, "the time is missing"),
        (
            "5 minutes on the local cloud, 7 on",
            "6 minutes on the local cloud, 7 on",
            1,
            "the time given here is (6, 7)",
        ),
        ("## Recap\nCups are counted by lines.\n", "", 1, "the section '## Recap' is missing"),
        ("Cups are counted by lines.", "", 83, "the section '## Recap' is empty"),
        ("after two cups?", "after two cups.", 11, "the prediction asks nothing"),
        ("How many lines will the file have after two cups?", "", 11, "the section '## Predict' is empty"),
        ("You see each of them", "It prints each of them", 19, "this step has no outcome"),
        ("```text\n2 cups in ...", "```text\n...", 36, "the outcome of this step is met by any output"),
        ("Each cup is one line, and the folder is remembered for the next step.", "Run this:", 19, "a step says why"),
        ("```bash aws-only", "```bash real-only", 62, "'real-only' is no mark of a step"),
        ("### 3. Count", "### 4. Count", 46, "this heading is number 4, but 3 is next"),
        ("- **C.** Nowhere\n", "", 104, "a question has at least 3 answers, here are 2"),
        ("- **A** is right: the first", "- **A** is wrong: the first", 104, "a question has exactly one right answer"),
        ("no bucket was used in any of the steps.", "no.", 107, "the answer B is not explained"),
        ("### What does a missing file say?", "What does a missing file say?", 86, "at least 3 questions, here are 2"),
        ("Nothing to see.", "See [here](nowhere.md).", 75, "the link to nowhere.md leads nowhere"),
        ("Nothing to see.", "See the ALB.", 75, "'ALB' is explained nowhere"),
        ("Nothing to see.", "A [saucer](../../GLOSSARY.md#saucer).", 75, "'saucer' is not in the glossary"),
        ("- [cup](../../GLOSSARY.md#cup)", "- cup", 9, "a new word links to its entry in GLOSSARY.md"),
        ("Count saucers.", "Count saucers.\n\n```bash\n", 83, "this fenced block is never closed"),
    ],
)
def test_a_broken_rule_is_an_error_with_its_line(
    phases: Path, edited: Edit, *, old: str, new: str, line: int, message: str
) -> None:
    edited(old, new)
    found = problems(phases)
    assert any(problem.startswith(f"{LESSON}:{line}: ") and message in problem for problem in found), found


def test_a_step_that_is_taken_out_is_missed(phases: Path, edited: Edit) -> None:
    source = (phases / LESSON).read_text()
    step = source[source.index("### 2.") : source.index("### 3.")]
    edited(step, "")
    assert any("a step is missing" in problem for problem in problems(phases))


def test_a_word_nobody_introduces_is_an_error_in_the_glossary(phases: Path) -> None:
    with (phases / "GLOSSARY.md").open("a") as glossary:
        glossary.write("\n## Saucer\n")
    assert problems(phases) == [
        "GLOSSARY.md:6: 'Saucer' has no explanation",
        "GLOSSARY.md:6: no lesson introduces 'Saucer' under its New words",
    ]


def test_a_lesson_without_a_text_is_an_error_where_it_is_declared(phases: Path) -> None:
    (phases / LESSON).unlink()
    assert problems(phases, {"count-cups"}) == [
        "phase9_sample/phase.toml:14: lesson 9.1 has no text: there is no lessons/9.1-*.md"
    ]


def test_whoever_reads_a_lesson_without_a_text_is_told_which_file_is_missing(phases: Path) -> None:
    (phases / LESSON).unlink()
    with pytest.raises(BrewHavenError, match=r"there is no \S+/lessons/9\.1-\*\.md.*`brewhaven lab lint` names all"):
        document.read(load(phases).lesson("9.1").path)


def test_an_objective_without_a_check_is_an_error(phases: Path) -> None:
    assert problems(phases, set()) == ["phase9_sample/phase.toml:10: no check proves the objective 'count-cups'"]


def test_a_word_used_before_its_lesson_is_an_error(phases: Path) -> None:
    folder = phases / "phase9_sample"
    toml = folder / "phase.toml"
    toml.write_text(
        toml.read_text()
        + '\n[[lessons]]\nid = "9.2"\ntitle = "More cups"\nservices = ["None"]\nobjectives = ["count-cups"]\n'
        + "minutes = { local = 5, aws = 7 }\n"
    )
    first = (phases / LESSON).read_text()
    second = first.replace("# 9.1 Counting cups", "# 9.2 More cups").replace(
        "- [cup](../../GLOSSARY.md#cup): what", "- [Milk jug](../../GLOSSARY.md#milk-jug-mj): what"
    )
    (folder / "lessons" / "9.2-more.md").write_text(second)
    with (phases / "GLOSSARY.md").open("a") as glossary:
        glossary.write("\n## Milk jug (MJ)\nFor milk.\n")
    (phases / LESSON).write_text(first.replace("Nothing to see.", "A Milk jug, or MJ."))
    assert problems(phases) == [
        f"{LESSON}:75: 'MJ' is used before lesson 9.2 explains it: link it to the glossary here",
        f"{LESSON}:75: 'Milk jug' is used before lesson 9.2 explains it: link it to the glossary here",
    ]
