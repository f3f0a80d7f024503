"""Figures of a collection and its servers: what a server has counted already, so that none costs more where there are more items."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.codestore.collection import Collection
from services.codestore.connection import fields
from services.codestore.generations import Generations, SegmentTally

# Of what a server writes to its disk. One that cannot tell has not failed.
_LAST_WRITES = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")


@dataclass(frozen=True)
class CollectionFigures:
    """What is in a collection.

    Attributes:
        items: of the published generation, 0 where there is none.
        lacking: those that have no code there, but for pictures in quarantine.
        behind: the same of generations that are not published yet.
        changes: that its streams hold.
    """

    items: int
    lacking: int
    behind: int
    changes: int


@dataclass(frozen=True)
class ServerFigures:
    """How its servers are; NaN where the account may not know (INFO).

    Attributes:
        memory, memory_most: bytes that the fullest holds, and may hold, infinite where nothing bounds it.
        saved: Unix time at which the snapshot was written that is the oldest; a server that has written none tells when it started.
        persists: whether all write a log of changes (1 or 0), and nothing that they wrote last failed.
    """

    memory: float
    memory_most: float
    saved: float
    persists: float


class Figures(Generations):
    """Figures of collections and servers."""

    def collection_figures(self, collection: str) -> CollectionFigures:
        """What is in a collection."""

        def work(opened: Collection) -> CollectionFigures:
            status, tallies = self._status(opened), self.tallies(collection)
            published = status.history[0] if status.history else None
            coming = [
                name for name, known in status.generations.items() if known.state in ("building", "sealed")
            ]
            return CollectionFigures(
                items=sum(tally.members.get(published, 0) for tally in tallies) if published else 0,
                lacking=self._lacking_codes(opened, published, tallies) if published else 0,
                behind=sum(self._lacking_codes(opened, name, tallies) for name in coming),
                changes=sum(self._changes(opened, segment) for segment in range(opened.segments)),
            )

        return self._use(collection, work)

    def server_figures(self) -> ServerFigures:
        """How the servers are that hold collections."""
        told = self._connection.on_primaries("INFO")
        return worst([fields(reply) for _, reply in told])

    def certificate_expires(self) -> float:
        """Unix time at which the first certificate of a server expires, infinite where none is checked. They are asked anew."""
        return self._connection.certificate_expires()

    def _lacking_codes(self, opened: Collection, generation_id: str, tallies: list[SegmentTally]) -> int:
        members = sum(tally.members.get(generation_id, 0) for tally in tallies)
        lacking = max(0, members - sum(tally.codes.get(generation_id, 0) for tally in tallies))
        return lacking - self._quarantined_of(opened, generation_id, lacking)

    def _changes(self, opened: Collection, segment: int) -> int:
        key = opened.on(segment, "").keys[1]
        return int(self._connection.command("XLEN", key, key=key))


def worst(servers: Sequence[Mapping[str, str]]) -> ServerFigures:
    """The figures of servers, from the fields of what each says of itself (INFO)."""
    memories = [_memory(told) for told in servers]
    memory, most = max(memories, key=lambda both: (both[0] / both[1], both[0]))
    return ServerFigures(
        memory=memory,
        memory_most=most,
        saved=min(_number(told, "rdb_last_save_time") for told in servers),
        persists=min(_persists(told) for told in servers),
    )


def _memory(told: Mapping[str, str]) -> tuple[float, float]:
    return _number(told, "used_memory"), _number(told, "maxmemory") or math.inf


def _persists(told: Mapping[str, str]) -> float:
    if "aof_enabled" not in told:
        return math.nan
    return float(told["aof_enabled"] == "1" and all(told.get(name, "ok") == "ok" for name in _LAST_WRITES))


def _number(told: Mapping[str, str], name: str) -> float:
    return float(told.get(name, math.nan))
