"""When a timer is due: every so many seconds, or by five fields of cron, in UTC."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from taxohash.errors import TaxohashError

LEAST_SECONDS = 60.0
_EVERY = re.compile(r"every ([0-9]{1,8})")
_PART = re.compile(r"(?:(\*)|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")
# Names and bounds of cron's fields; 7 is Sunday too.
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MOST_DAYS = 366 * 8 + 1  # 29 February may be eight years away


def next_due(text: str, now: float) -> float:
    """The first time after `now`, Unix time in seconds, at which a timer is due.

    Args:
        text: `every 86400`, or minute, hour, day, month and weekday as cron has them: numbers, *, ranges, lists and steps. Where both
            day and weekday are given, either will do, as in cron.

    Raises:
        TaxohashError: it is neither, or never is.
    """
    if every := _EVERY.fullmatch(text):
        seconds = float(every[1])
        if seconds < LEAST_SECONDS:
            raise TaxohashError(f"timer {text!r} is too fast: give at least {LEAST_SECONDS:g} seconds")
        return now + seconds
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise TaxohashError(f"timer {text!r} is none: give a time such as 24h, or five fields of cron")
    minutes, hours, days, months, weekdays = (
        _values(field, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True)
    )
    either = fields[2] != "*" and fields[4] != "*"
    start = datetime.fromtimestamp(now, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for day in _days(start):
        on_day, on_weekday = day.day in days, day.isoweekday() % 7 in {own % 7 for own in weekdays}
        if day.month not in months or not (on_day or on_weekday if either else on_day and on_weekday):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                if (due := day.replace(hour=hour, minute=minute)) >= start:
                    return due.timestamp()
    raise TaxohashError(f"timer {text!r} is never due: no calendar has such a day")


def _days(start: datetime) -> Iterator[datetime]:
    first = start.replace(hour=0, minute=0)
    return (first + timedelta(days=days) for days in range(_MOST_DAYS))


def _values(field: str, name: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise TaxohashError(f"timer has the {name} {field!r}: give numbers, *, ranges, lists or steps")
        star, first, last, step = match.groups()
        low = least if star else int(first)
        high = most if star or (step and last is None) else int(last or first)
        if not least <= low <= high <= most or step == "0" or (step and not int(step)):
            raise TaxohashError(f"timer has the {name} {field!r}: give numbers from {least} to {most}")
        found |= set(range(low, high + 1, int(step or 1)))
    return found
