"""Outcomes of runs where those find them who started a run on another machine: beside the generations (TAXOHASH_GENERATIONS)."""

from pipelines.shared.record import run_name
from services import settings
from services.codestore.places import Place
from services.runs import Outcome
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce

_LARGEST = 1 << 20


def keep(outcome: Outcome) -> None:
    """Put an outcome there, where that place is named. A run does not fail for it: it has ended."""
    try:
        if place := _place():
            place.write(_file(outcome.run), outcome.to_json().encode())
    except TaxohashError as error:
        announce(f"the outcome is not kept beside the generations: {error}")


def kept(run: str) -> Outcome | None:
    """The outcome of a run, if it is there; runs of others may have names that none of ours can have.

    Raises:
        StoreUnavailableError: the place does not answer.
        TaxohashError: what is there is no outcome.
    """
    try:
        file = _file(run)
    except TaxohashError:
        return None
    place = _place()
    data = place.read(file, _LARGEST) if place else None
    return Outcome.of_json(data.decode()) if data else None


def _place() -> Place | None:
    address = settings.GENERATIONS.of()
    return Place.open(address, "outcomes of runs") if address else None


def _file(run: str) -> str:
    return f"_runs/{run_name(run)}.json"  # no id of a generation begins so
