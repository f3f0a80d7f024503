"""Runs as they are looked at and ended, wherever they run: on this machine (local_runs) or on Kubeflow (kubeflow.runs)."""

from dataclasses import dataclass
from typing import Protocol

from services.runs import Outcome


@dataclass(frozen=True)
class StepState:
    """A step of a run; one of a loop may be there once for each of its rounds.

    Attributes:
        state: running, or how it ended: succeeded, failed, ...
        seconds: until it ended; 0 while it runs, or where a cache answered for it.
        reason: why it failed.
    """

    name: str
    state: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class RunState:
    """A run as it is now.

    Attributes:
        state: running, or how it ended: published, refused, failed, ... as far as that is known without asking further.
        started: Unix time in seconds.
        address: of a page or a folder that shows it.
        steps: those that have begun, in their order; none in a listing.
        outcome: None before its end, and in a listing.
    """

    name: str
    state: str
    started: float
    address: str
    steps: tuple[StepState, ...] = ()
    outcome: Outcome | None = None


class Runs(Protocol):
    """Where runs are.

    Raises (every method):
        TaxohashError: there is no such run, or no answer.
    """

    def recent(self) -> list[RunState]:
        """The last runs, the newest first."""

    def state(self, name: str) -> RunState:
        """All that is known of a run."""

    def cancel(self, name: str) -> str:
        """End a run; what was done, in one line."""

    def log(self, name: str, step: str) -> str:
        """What a step has written, or all steps if it is empty."""
