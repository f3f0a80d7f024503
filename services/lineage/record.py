"""The lineage of one generation: a record, and as JSON tells it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from services.codestore.generations import AuditEntry
from services.codestore.records import State
from services.lineage.origin import Made, Origin, configuration_of
from taxohash.runtime.configuration import plain


@dataclass(frozen=True)
class Lineage:
    """Where a generation comes from, and what became of it.

    Attributes:
        state: of it in the store; "removed" where it is there no more.
        created: Unix time at which it was begun in the store; None where it is not there.
        made: what its manifest says; None where neither its files nor an origin are at hand.
        origin: what the run noted that made it; None where it was made by hand.
        moves: by which the pointer came to it, the first one first.
        replaced: id of the generation that it was published in the place of at first, or empty.
        replaced_by: the last move of the pointer away from it.
        removed: when, by whom and why it was removed.
    """

    collection: str
    generation: str
    state: State | Literal["removed"]
    created: float | None = None
    made: Made | None = None
    origin: Origin | None = None
    moves: tuple[AuditEntry, ...] = ()
    replaced: str = ""
    replaced_by: AuditEntry | None = None
    removed: AuditEntry | None = None

    @property
    def before(self) -> str:
        """The generation that it follows: that it replaced, or where it was never published was compared with; or empty."""
        return self.replaced or (self.origin.champion if self.origin and not self.moves else "")

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it; times in ISO 8601."""
        origin, made = self.origin, self.made
        return {
            "collection": self.collection,
            "generation": self.generation,
            "state": self.state,
            "created": _time(self.created),
            "by_hand": origin is None,
            "run": _run(origin) if origin else None,
            "hasher": {"objective": made.objective, "network": made.network, "bits": made.bits}
            if made
            else None,
            "code": made.code if made else None,
            "data": _data(made, origin) if made else None,
            "evaluation": {"protocol": made.protocol, "metrics": made.evaluation} if made else None,
            "judgement": _judgement(origin) if origin and origin.verdict else None,
            "published": [_move(entry) | {"replaced": entry.previous or None} for entry in self.moves],
            "replaced": self.replaced or None,
            "replaced_by": _move(self.replaced_by) | {"generation": self.replaced_by.generation}
            if self.replaced_by
            else None,
            "removed": _move(self.removed) if self.removed else None,
        }


def _run(origin: Origin) -> dict[str, Any]:
    return {
        "name": origin.run,
        "pipeline": origin.pipeline,
        "begun": _time(origin.begun),
        "image": origin.image,
        "configuration": configuration_of(origin) or None,
        "report": origin.report or None,
        "comparison": origin.comparison or None,
        "place": origin.place or None,
    }


def _data(made: Made, origin: Origin | None) -> dict[str, Any]:
    return {
        "md5": made.data_md5,
        "before": origin.data_before or None if origin else None,
        "changes": origin.changes if origin else {},
        "cost": plain(origin.cost) if origin and origin.cost else None,
    }


def _judgement(origin: Origin) -> dict[str, Any]:
    return {
        "against": origin.against,
        "verdict": origin.verdict,
        "reason": origin.reason,
        "compared": list(origin.compared),
        "findings": list(origin.findings),
    }


def _move(entry: AuditEntry) -> dict[str, Any]:
    return {"operation": entry.operation, "when": _time(entry.when), "who": entry.who, "why": entry.why}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
