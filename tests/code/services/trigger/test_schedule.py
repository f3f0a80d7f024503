"""When a timer is due, against a search that looks at every minute."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trigger.schedule import next_due
from taxohash.errors import TaxohashError

NOW = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC).timestamp()


def at(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("every 86400", NOW + 86_400),
        ("* * * * *", at("2026-11-26 12:01")),
        ("0 3 * * *", at("2026-11-27 03:00")),
        ("*/20 12 * * *", at("2026-11-26 12:20")),
        ("0 12 * * *", at("2026-11-27 12:00")),
        ("0 0 1 1 *", at("2027-01-01 00:00")),
        ("30 4 * * 0", at("2026-11-29 04:30")),
        ("30 4 * * 7", at("2026-11-29 04:30")),
        ("0 0 1 * 5", at("2026-11-27 00:00")),  # a Friday, or the first of a month
        ("0 0 29 2 *", at("2028-02-29 00:00")),
        ("5,10-12 0 * * 1-5", at("2026-11-27 00:05")),
        ("50/4 12 * * *", at("2026-11-26 12:50")),
    ],
)  # fmt: skip
def test_when_it_is_due(text: str, due: float) -> None:
    assert next_due(text, NOW) == due


FIELD = st.sampled_from(["*", "0", "7", "*/7", "3-5", "1,6", "2-6/2"])


@given(
    FIELD,
    FIELD,
    st.sampled_from(["*", "1", "28-31", "*/9"]),
    st.sampled_from(["*", "12", "1-2"]),
    FIELD,
    st.integers(0, 10**6),
)
def test_it_is_what_looking_at_every_minute_finds(
    minute: str, hour: str, day: str, month: str, weekday: str, ahead: int
) -> None:
    now = NOW + ahead * 61
    found = next_due(f"{minute} {hour} {day} {month} {weekday}", now)
    either = day != "*" and weekday != "*"
    moment = int(now // 60 * 60) + 60
    for _ in range(60 * 30):  # beyond, only the first one is looked at
        if holds(moment, minute, hour, day, month, weekday, either):
            assert found == moment
            return
        moment += 60
    assert found >= moment
    assert holds(int(found), minute, hour, day, month, weekday, either)


def holds(moment: int, minute: str, hour: str, day: str, month: str, weekday: str, either: bool) -> bool:
    when = datetime.fromtimestamp(moment, UTC)
    on_day = among(when.day, day, 1, 31)
    on_weekday = any(among(number, weekday, 0, 7) for number in {when.isoweekday(), when.isoweekday() % 7})
    on = on_day or on_weekday if either else on_day and on_weekday
    return (
        among(when.minute, minute, 0, 59)
        and among(when.hour, hour, 0, 23)
        and among(when.month, month, 1, 12)
        and on
    )


def among(value: int, field: str, least: int, most: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"{least}-{most}" if span == "*" else span).partition("-")
        last = int(high or low)
        if int(low) <= value <= last and (value - int(low)) % int(step or 1) == 0:
            return True
    return False


@pytest.mark.parametrize(
    "text",
    ["", "every 59", "every -1", "every 1.5", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "5-3 * * * *", "*/0 * * * *", "a * * * *", "0 0 30 2 *", "- * * * *", "1- * * * *", ", * * * *"],
)  # fmt: skip
def test_what_is_no_timer_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(TaxohashError) as refused:
        next_due(text, NOW)
    assert "\n" not in str(refused.value)
