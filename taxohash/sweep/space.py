"""What a sweep tries: values of fields of the configuration, by their paths."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Series, configuration, replaced
from taxohash.runtime.flags import meaning
from taxohash.training.config import HasherConfig

FORM = "PATH=LOW..HIGH, PATH=LOW..HIGH:log or PATH=ONE,OTHER,..."


@configuration
class Interval:
    """Numbers from `low` to `high`, both included; whole ones where both are.

    Attributes:
        log: whether ratios are tried evenly, not differences.
    """

    low: int | float
    high: int | float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise TaxohashError(
                f"{self.low}..{self.high} is no interval{' of logarithms' if self.log else ''}: give a lower end below the "
                f"upper one{', above 0' if self.log else ''}"
            )


@configuration
class Choice:
    """Some values, in no order."""

    values: Annotated[Series[Any], Field(min_length=2)]


Space = dict[str, Interval | Choice]

STANDARD = ("training.lr=0.01..0.5:log", "training.weight_decay=0.00001..0.01:log")


def space_of(texts: Iterable[str], config: HasherConfig) -> Space:
    """What texts of the form `FORM` ask for, the ends of each tried on the configuration.

    Raises:
        TaxohashError: a text of another form, a path twice, or a value that its field does not take.
    """
    found: Space = {}
    for text in texts:
        path, equals, written = text.partition("=")
        if not (path and equals and written):
            raise TaxohashError(f"search {text!r}: write it as {FORM}")
        if path in found:
            raise TaxohashError(f"search {text!r}: {path} is searched already, name it once")
        found[path] = _tried(text, written)
        for value in ends(found[path]):
            replaced(config, {path: value}).completed()
    return found


def ends(tried: Interval | Choice) -> tuple[Any, ...]:
    """The extremes of an interval, all of a choice."""
    return (tried.low, tried.high) if isinstance(tried, Interval) else tried.values


def _tried(text: str, written: str) -> Interval | Choice:
    if ".." not in written:
        values = tuple(meaning(part) for part in written.split(","))
        if len(values) < 2:
            raise TaxohashError(f"search {text!r}: one value is no choice, write it as {FORM}")
        return Choice(values=values)
    numbers, colon, kind = written.partition(":")
    low, _, high = (meaning(part) if part else None for part in numbers.partition(".."))
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in (low, high)) or kind not in (
        "",
        "log",
    ):
        raise TaxohashError(f"search {text!r}: write it as {FORM}")
    return Interval(low=low, high=high, log=bool(colon))  # type: ignore[arg-type]
