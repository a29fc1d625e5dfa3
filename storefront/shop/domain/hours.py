"""Opening hours in the shop's own time zone.  Orders are taken at any hour and made when somebody is there."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shop.domain.errors import Invalid


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
        then = (here + timedelta(days=ahead)).date()
        day = WEEK[then.weekday()]
        for clock in (day.opens, day.closes):
            change = datetime.combine(then, clock, zone)
            if change > here:
                return change
    raise AssertionError("a week holds an opening time")


def day_of(moment: datetime, zone: ZoneInfo) -> str:
    """The day in the shop's zone on which this moment falls, as `2026-11-22`."""
    return moment.astimezone(zone).date().isoformat()


def checked_day(text: str) -> str:
    """A day of the calendar, written as `2026-11-22`.  Raises `Invalid`."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Invalid([("day", "There is no such day. Write one of the calendar as 2026-11-22.")]) from None
