"""Opening hours in the shop's own time zone.  Orders are taken at any hour and made when somebody is there."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Day:
    name: str
    opens: time
    closes: time


WEEK = tuple(
    Day(name, time(opens), time(closes))
    for name, opens, closes in (
        ("Monday", 7, 19),
        ("Tuesday", 7, 19),
        ("Wednesday", 7, 19),
        ("Thursday", 7, 19),
        ("Friday", 7, 21),
        ("Saturday", 8, 21),
        ("Sunday", 9, 18),
    )
)


def is_open(moment: datetime, zone: ZoneInfo) -> bool:
    here = moment.astimezone(zone)
    day = WEEK[here.weekday()]
    return day.opens <= here.time() < day.closes


def next_change(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the shop next opens or closes."""
    here = moment.astimezone(zone)
    for ahead in range(8):
        date = (here + timedelta(days=ahead)).date()
        day = WEEK[date.weekday()]
        for clock in (day.opens, day.closes):
            change = datetime.combine(date, clock, zone)
            if change > here:
                return change
    raise AssertionError("a week holds an opening time")


def day_of(moment: datetime, zone: ZoneInfo) -> str:
    """The day in the shop's zone on which this moment falls, as `2026-11-22`."""
    return moment.astimezone(zone).date().isoformat()
