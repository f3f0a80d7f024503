"""A generation that somebody may approve, and how it stands."""

from typing import NamedTuple, Self

from services.runs import Outcome
from services.trigger.records import State
from taxohash.release.judging import Compared


class Candidate(NamedTuple):
    """What is known of a generation.

    Attributes:
        outcome: of the run that made it; None where that is not remembered.
        approved: who published it, or empty.
        published: id of the generation that is published now, or empty.
    """

    generation: str
    outcome: Outcome | None
    approved: str
    published: str

    @classmethod
    def of(cls, generation: str, state: State, published: str) -> Self:
        """As the trigger's memory and the code store have it."""
        made = (run for run in state.history if run.outcome and run.outcome.generation == generation)
        run = next(made, None)
        return cls(generation, run.outcome if run else None, run.approved if run else "", published)

    @property
    def champion(self) -> str | None:
        """The generation that was published when it was made, empty for none; None where that is not known."""
        return self.outcome.champion if self.outcome else None

    @property
    def compared(self) -> tuple[Compared, ...]:
        """Metrics by which it was judged."""
        return tuple(self.outcome.compared) if self.outcome else ()

    @property
    def is_open(self) -> bool:
        """Whether it may be approved: it is not published, and what it was compared with still is."""
        return self.published != self.generation and self.champion in (self.published, None)

    def said(self) -> str:
        """How it stands, in a sentence."""
        if self.published == self.generation:
            return f"It is published already{f', by {self.approved}' if self.approved else ''}."
        if self.outcome is None:
            return "No run is known that made it."
        if not self.is_open:
            return (
                f"It cannot be approved any more: it was compared with {self.champion or 'no other'}, and "
                f"{self.published or 'none'} is published by now."
            )
        return f"{self.outcome.verdict.value}: {self.outcome.reason}"

    def facts(self, collection: str) -> dict[str, str]:
        """What there is to know, by names; empty where it is not known."""
        known = {
            "Generation": self.generation,
            "Collection": collection,
            "Published now": self.published or "none",
        }
        if self.outcome is None:
            return known
        return known | {
            "Run": self.outcome.run,
            "Data version": self.outcome.data_md5,
            "Report": self.outcome.report,
            "What it would change": self.outcome.would_change,
            "Comparison": self.outcome.comparison,
        }
