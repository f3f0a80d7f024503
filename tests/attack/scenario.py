"""What a scenario is: it starts what it attacks, attacks it, and says what it found."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.attack.answers import Form
from tests.attack.target import Target

Figures = dict[str, Any]


class Start(Protocol):
    """How a scenario gets the service that it attacks."""

    def __call__(
        self, settings: Mapping[str, str], limits: Mapping[int, int] | None = None, services: int = 1
    ) -> AbstractContextManager[Target]: ...


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes:
        count: of what the scenario counts: uploads, requests, connections, minutes.
        seconds: after which an attack that has not ended is broken off.
        seed: of what is drawn.
        pace: share of the times for which an attack is held; a test has less of it.
        form: of errors, that is promised.
        keep: folder for what was answered wrongly, if anybody wants it.
    """

    count: int
    seconds: float = 600.0
    seed: int = 0
    pace: float = 1.0
    form: Form = "problem"
    keep: Path | None = None


@dataclass(frozen=True)
class Line:
    """A line of the table: what was looked at, what was asked for, what was found."""

    what: str
    asked: str
    found: str


@dataclass(frozen=True)
class Scenario:
    """One kind of attack.

    Attributes:
        count: how much of it is a whole run.
        run: from the way to start a service, and the plan, to what was found.
        lines: what of it stands in the table.
    """

    count: int
    run: Callable[[Start, Plan], Figures]
    lines: Callable[[Figures], list[Line]]


def told(outcomes: Mapping[str, int]) -> str:
    """Counts by outcome, in words."""
    return ", ".join(f"{count:,} x {outcome}" for outcome, count in sorted(outcomes.items())) or "none"


def ms(value: float | None) -> str:
    """Milliseconds that there may be none of."""
    return "none" if value is None else f"{value:,.0f} ms"
