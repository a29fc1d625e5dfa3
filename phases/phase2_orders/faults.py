"""What can be broken in phase 2, for a student to find and mend: in the order of the lessons."""

from brewhaven.course.faults import FaultList
from phases.phase2_orders import faults_orders, faults_pipeline, faults_watch

FAULTS = FaultList([*faults_orders.FAULTS, *faults_pipeline.FAULTS, *faults_watch.FAULTS])
