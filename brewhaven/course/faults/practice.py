"""Breaking one thing, giving hints, and finding out whether it is mended: the exercise from beginning to end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven import course as courses
from brewhaven import stacks
from brewhaven.course import checks, verify
from brewhaven.course.catalogue import Course
from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import calls, declared, template_change
from brewhaven.course.faults.book import Book, OpenFault, now
from brewhaven.course.faults.calls import Call, Plan
from brewhaven.course.faults.declared import Fault
from brewhaven.course.template import Template
from brewhaven.course.verify import Finding
from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import CloudSettings
from brewhaven.redrive import DeadLetterQueue, dead_letter_queues
from brewhaven.target import Target

Note = Callable[[str], None]
# How long a fault may take to be felt, and a repair to work: tasks are started, health is measured.
PATIENCE_SECONDS = {"local": 90, "aws": 900}
PERIOD_SECONDS = {"local": 0.5, "aws": 10.0}
COMES_UP_SECONDS = {"local": 30, "aws": 60}


class FaultError(BrewHavenError):
    """A fault cannot be made, judged or taken back."""


@dataclass(frozen=True)
class Verdict:
    """What the checks say while a fault is open.

    Attributes:
        intended: What the fault's own check found.
        others: Other checks that fail.
        by_hand: The check passes, and the stack's template still has the fault: the next deployment brings it back.
    """

    intended: Finding
    others: tuple[Finding, ...]
    by_hand: bool

    @property
    def mended(self) -> bool:
        return self.intended.passed and not self.others and not self.by_hand


def _broken_off() -> FaultError:
    return FaultError(
        "Making the last fault was broken off, so nobody knows how far it came.",
        "`brewhaven fix --undo` puts everything back; then `brewhaven break` again.",
    )


class Practice:
    """Faults in one deployment on one cloud.

    Args:
        settings: Whose state folder holds the open fault.
        student: Prefix of the stacks in which a fault is made; an open one knows its stack.
        counts: Whether the student's history gets how a fault ended; a selftest is nobody's.
        of: The course; by default the repository's.
    """

    def __init__(
        self,
        settings: CloudSettings,
        cloud: Target,
        student: str | None = None,
        *,
        counts: bool = True,
        of: Course | None = None,
    ) -> None:
        self.book = Book(settings.home)
        self.cloud = cloud
        self._settings = settings
        self._student = student
        self._counts = counts
        self._course = of or courses.load()

    # Which fault

    def open_fault(self) -> OpenFault | None:
        """The fault that is open in this cloud.

        Raises:
            FaultError: It is open in another cloud, account or region.
        """
        found = self.book.open_fault()
        if found is None:
            return None
        here = (self.cloud.name, self.cloud.account, self.cloud.region)
        if (found.target, found.account, found.region) != here:
            raise FaultError(
                f"A fault is open in account {found.account}, {found.region} ({found.target}), and the commands act on "
                f"account {self.cloud.account}, {self.cloud.region} ({self.cloud.name}).",
                f"Run `brewhaven use {found.target}` with the credentials and the region of that account.",
            )
        if self._stack_id(found.stack) != found.stack_id:
            # The stack was deleted, or made again: the fault went with it. What it made beside the stack goes now.
            calls.run(_kept(found.tidy), self._client)
            template_change.forget(self.cloud, found.stack)
            self.book.close(found, None)
            return None
        return found

    def must_be_open(self) -> OpenFault:
        """The open fault.

        Raises:
            FaultError: There is none, or its injection was broken off.
        """
        found = self.open_fault()
        if found is None:
            raise FaultError("No fault is open.", "`brewhaven break` makes one.")
        if found.stage == "breaking":
            raise _broken_off()
        return found

    def deployment(self, stack: str) -> Deployment:
        """What is deployed, looked at afresh.

        Raises:
            NotDeployedError: The stack is not there or not whole.
        """
        found = Deployment(self.cloud, [stack])
        found.prepare()
        return found

    def stack_of(self, fault: Fault) -> str:
        """The stack that the fault is open in, or else would be made in."""
        found = self.book.open_fault()
        return found.stack if found and found.fault == fault.id else self._stack(fault.phase)

    def choices(self, phase: int | None = None) -> list[tuple[Fault, str | None]]:
        """Every fault, with the reason why it cannot be had in what is deployed."""
        answer: list[tuple[Fault, str | None]] = []
        for item in self._course.phases if phase is None else [self._course.phase(phase)]:
            faults = list(declared.load(item.folder))
            try:
                there = self.deployment(self._stack(item.number)) if faults else None
            except BrewHavenError as error:
                answer += [(fault, error.message) for fault in faults]
                continue
            answer += [(fault, fault.out_of_reach(there, self.cloud.name)) for fault in faults if there]
        return answer

    def choose(self, seed: int | None = None) -> Fault:
        """One that fits what is deployed: with a seed always the same, without one rather one that was not mended yet.

        Raises:
            FaultError: None fits.
        """
        fitting = [fault for fault, reason in self.choices() if reason is None]
        if not fitting:
            raise FaultError(
                "No fault fits what is deployed.",
                "`brewhaven break --list` says which lesson each needs; `brewhaven deploy` takes you there.",
            )
        if seed is not None:
            return random.Random(seed).choice(sorted(fitting, key=lambda fault: fault.id))  # noqa: S311
        history = self.book.history()
        mended = {id_ for id_, entries in history.items() if any(entry["outcome"] == "mended" for entry in entries)}
        return random.choice([fault for fault in fitting if fault.id not in mended] or fitting)  # noqa: S311

    # Break

    def look(self, fault: Fault, *, leave_out: Collection[str] = ()) -> list[Finding]:
        """What the checks of the fault's phase find, as far as the deployment has come.

        Args:
            leave_out: Checks that need not be asked; while a fault is open, some wait a minute for what does not come.
        """
        deployment = self.deployment(self.stack_of(fault))
        all_checks = [item for item in checks.load(self._course.phase(fault.phase).folder) if item.id not in leave_out]
        chosen = verify.chosen(all_checks, through=deployment.reached)
        return verify.run(str(fault.phase), chosen, deployment=deployment, cloud=self.cloud.name).findings

    def refuse(self, fault: Fault) -> None:
        """See that the fault can be made here and now; whether the shop is well is :meth:`look`'s.

        Raises:
            FaultError: Another one is open, or the deployment has nothing that it could break.
        """
        other = self.open_fault()
        if other and other.stage == "breaking":
            raise _broken_off()
        if other:
            raise FaultError(
                "A fault is open already, and one at a time is enough.",
                "`brewhaven hint` helps, `brewhaven fix --check` ends it when it is mended, `brewhaven fix --undo` "
                "gives up.",
            )
        reason = fault.out_of_reach(self.deployment(self._stack(fault.phase)), self.cloud.name)
        if reason:
            raise FaultError(f"The fault {fault.id} cannot be had here: {reason}.", "`brewhaven break --list`")

    def see_it_well(self, fault: Fault, note: Note = lambda text: None) -> list[Finding]:
        """See that everything is well before something is broken, and return what was found.

        What was just deployed or started gets a moment to come up.

        Raises:
            FaultError: Checks fail, so that it could not be told what the fault does.
        """
        deadline = time.monotonic() + COMES_UP_SECONDS[self.cloud.name]
        while True:
            findings = self.look(fault)
            failing = [finding.check for finding in findings if not finding.passed]
            if not failing:
                return findings
            if time.monotonic() < deadline:
                note(f"waiting for {', '.join(failing)}")
                time.sleep(PERIOD_SECONDS[self.cloud.name])
                continue
            raise FaultError(
                f"Not all is well already: {', '.join(failing)} {'fail' if len(failing) > 1 else 'fails'}.",
                "`brewhaven verify` says what is wrong; mend that first, then break something.",
            )

    def break_it(self, fault: Fault, note: Note = lambda text: None) -> Finding:
        """Make the fault, wait until it is felt, and return what its check finds.

        What was done is taken back if that does not succeed.

        Raises:
            FaultError: It could not be made; everything is as it was, or the error says that it is not.
        """
        found, do = self._prepare(fault, self.deployment(self._stack(fault.phase)))
        self.book.write(found)
        try:
            if found.template_after is not None:
                template_change.update(self.cloud, found.stack, found.template_after, note)
            calls.run(do, self._client)
            finding = self._wait(fault, passed=False, note=note)
            if finding is None:
                raise FaultError(f"The fault {fault.id} was made, and its check {fault.check} passes all the same.")
        except (BrewHavenError, ClientError, BotoCoreError, OSError) as error:
            self._take_back_failed(fault, found, error, note)
        self.book.write(replace(found, stage="open"))
        return finding

    def _prepare(self, fault: Fault, deployment: Deployment) -> tuple[OpenFault, Sequence[Call]]:
        """Everything that takes the fault back, and the calls that make it; nothing is changed yet."""
        stack = self._stack(fault.phase)
        phase, step = deployment.reached or fault.number
        found = OpenFault(
            fault.id, fault.phase, f"{phase}.{step}", stack, self._stack_id(stack), self.cloud.name,
            self.cloud.account, self.cloud.region, self._student, since=now(),
        )  # fmt: skip
        try:
            if fault.change is not None:
                before = template_change.deployed(self.cloud, stack)
                after = template_change.deployed(self.cloud, stack)
                fault.change(Template(stack, after))
                if after == before:
                    raise LookupError("its change changes nothing")
                return replace(found, template_before=before, template_after=after), ()
            plan = fault.plan(deployment) if fault.plan else Plan((), ())
        except (LookupError, ValueError, TypeError, StopIteration) as error:
            raise FaultError(
                f"The fault {fault.id} does not fit what is deployed ({type(error).__name__}: {error}).",
                "Your stack differs from the lesson's; `brewhaven deploy` puts the lesson's back.",
            ) from error
        calls.refuse_strangers(plan, deployment.physical_ids)
        if plan.images:
            record = stacks.Record.of(self._settings, self.cloud)
            record.add(stack, [(stacks.IMAGE_ASSETS, tag) for tag in plan.images])
        undo, tidy = ([item.as_json() for item in part] for part in (plan.undo, plan.tidy))
        return replace(found, undo=undo, tidy=tidy), plan.do

    def _take_back_failed(self, fault: Fault, found: OpenFault, error: Exception, note: Note) -> NoReturn:
        said = getattr(error, "message", str(error))
        try:
            self._put_back(found, note)
        except (BrewHavenError, ClientError, BotoCoreError, OSError) as second:
            raise FaultError(
                f"The fault {fault.id} could not be made ({said}), and taking it back failed too: {second}",
                "Run `brewhaven fix --undo` when the cloud answers again.",
            ) from error
        self.book.close(found, None)
        raise FaultError(f"The fault {fault.id} could not be made: {said}", "Everything is as it was.") from error

    # Mend

    def hint(self) -> tuple[Fault, int]:
        """The fault, and how many of its hints are known now, one more than before.

        Raises:
            FaultError: No fault is open.
        """
        found = self.must_be_open()
        given = min(found.hints + 1, declared.HINTS)
        self.book.write(replace(found, hints=given))
        return declared.find(self._course, found.fault), given

    def check(self) -> Verdict:
        """Look whether it is mended; if so, it is closed, and what the fault made is removed.

        Checks that fail by the nature of the fault are asked when it is no longer there: some wait for a minute.

        Raises:
            FaultError: No fault is open.
        """
        found = self.must_be_open()
        fault = declared.find(self._course, found.fault)
        findings = self.look(fault, leave_out=fault.may_fail)
        (intended,) = [finding for finding in findings if finding.check == fault.check]
        if intended.passed and fault.may_fail:
            findings += self.look(fault, leave_out=[finding.check for finding in findings])
        others = tuple(finding for finding in findings if not finding.passed and finding.check != fault.check)
        by_hand = intended.passed and self._template_is(found, "after")
        verdict = Verdict(intended, others, by_hand)
        if verdict.mended:
            calls.run(_kept(found.tidy), self._client)
            self.book.close(found, "mended" if self._counts else None)
        return verdict

    def undo(self, note: Note = lambda text: None) -> Fault:
        """Give up: put everything back, and wait until it works.

        Raises:
            FaultError: No fault is open, or it is put back and the check fails all the same.
        """
        found = self.open_fault()
        if found is None:
            raise FaultError("No fault is open, so there is nothing to take back.", "`brewhaven break` makes one.")
        fault = declared.find(self._course, found.fault)
        self._put_back(found, note)
        if self._wait(fault, passed=True, note=note) is None:
            raise FaultError(
                f"Everything is put back, and the check {fault.check} fails all the same.",
                f"`brewhaven verify {found.lesson}` says why; then run `brewhaven fix --undo` again.",
            )
        self.book.close(found, "undone" if self._counts else None)
        return fault

    def put_aside(self, stack: str) -> list[DeadLetterQueue]:
        """Dead-letter queues of a stack that hold messages. A fault that is taken back sends none of them back.

        Raises:
            NotDeployedError: The stack is not there or not whole.
        """
        return [queue for queue in dead_letter_queues(self.deployment(stack)) if queue.depth]

    def _put_back(self, found: OpenFault, note: Note) -> None:
        if found.template_before is not None:
            template_change.settle(self.cloud, found.stack, note)
            # A template that is neither is one that the student deployed since: that one stays.
            if self._template_is(found, "after"):
                template_change.update(self.cloud, found.stack, found.template_before, note)
            template_change.forget(self.cloud, found.stack)
        calls.run([*_kept(found.undo), *_kept(found.tidy)], self._client)

    def _template_is(self, found: OpenFault, which: str) -> bool:
        template = found.template_after if which == "after" else found.template_before
        return template is not None and template_change.deployed(self.cloud, found.stack) == template

    def _wait(self, fault: Fault, *, passed: bool, note: Note) -> Finding | None:
        """Wait until the fault's own check passes, or until it fails; None when time is up."""
        (check,) = [item for item in checks.load(self._course.phase(fault.phase).folder) if item.id == fault.check]
        deadline = time.monotonic() + PATIENCE_SECONDS[self.cloud.name]
        while True:
            deployment = self.deployment(self.stack_of(fault))
            (finding,) = verify.run(str(fault.phase), [check], deployment=deployment, cloud=self.cloud.name).findings
            if finding.passed is passed:
                return finding
            if time.monotonic() > deadline:
                return None
            note("waiting until it is felt" if not passed else "waiting until it works again")
            time.sleep(PERIOD_SECONDS[self.cloud.name])

    def _stack(self, phase: int) -> str:
        prefix = f"{self._student}-" if self._student else ""
        return prefix + self._course.phase(phase).stacks[-1]

    def _stack_id(self, stack: str) -> str:
        there = stacks.describe(self.cloud, stack)
        return stacks.creation_id(self.cloud, stack) if there else ""

    def _client(self, service: str) -> object:
        return self.cloud.client(service)


def _kept(kept: Sequence[dict[str, object]]) -> list[Call]:
    return [Call.from_json(item) for item in kept]
