"""Faults to find and mend: one thing is broken in what is deployed, and the student is told what a guest notices.

A phase's ``faults.py`` declares them; ``docs/writing-a-phase.md`` tells how. What is imported here is what such a file
needs.
"""

from brewhaven.course.faults.calls import Answer, Call, Plan, call
from brewhaven.course.faults.declared import Explanation, Fault, FaultList

__all__ = ["Answer", "Call", "Explanation", "Fault", "FaultList", "Plan", "call"]
