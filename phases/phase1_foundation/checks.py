"""What proves that phase 1 is deployed and works: one check or more for each objective, in the order of the lessons."""

from brewhaven.course.checks import CheckList
from phases.phase1_foundation import checks_beyond, checks_data, checks_hosting

CHECKS = CheckList([*checks_data.CHECKS, *checks_hosting.CHECKS, *checks_beyond.CHECKS])
