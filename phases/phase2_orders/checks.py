"""What proves that phase 2 is deployed and works: one check or more for each objective, in the order of the lessons."""

from brewhaven.course.checks import CheckList
from phases.phase2_orders import (
    checks_cache,
    checks_database,
    checks_fan_out,
    checks_orders,
    checks_pictures,
    checks_queue,
    checks_watching,
)

CHECKS = CheckList(
    [
        *checks_database.CHECKS,
        *checks_orders.CHECKS,
        *checks_cache.CHECKS,
        *checks_queue.CHECKS,
        *checks_fan_out.CHECKS,
        *checks_watching.CHECKS,
        *checks_pictures.CHECKS,
    ]
)
