"""What can be broken in phase 1, for a student to find and mend: in the order of the lessons."""

from brewhaven.course.faults import FaultList
from phases.phase1_foundation import faults_data, faults_hosting

FAULTS = FaultList([*faults_data.FAULTS, *faults_hosting.FAULTS])
