"""A serving process without its service: the real follower, replica and swap; all that it finds is compared."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from services.codestore import CodeStore, GenerationRef, Token
from services.codestore.follower.replica import Replica
from services.codestore.follower.source import Collection
from services.codestore.follower.swap import Serving, Swap
from taxohash.errors import TaxohashError
from tests.chaos.contents import COLLECTION, SEGMENTS, TAXONOMY, Seen, code_of
from tests.chaos.invariants import Moment, Violation, check_view
from tests.chaos.ledger import Ledger
from tests.chaos.reading import is_live

_SECONDS = 10.0  # to catch up
_ORDER = ("v", "p", "extra")
_AFTER_FAILOVER = 10.0  # seconds in which a follower may show what the failover has lost: a token does not tell histories apart


def opened(ref: GenerationRef) -> Serving[Replica, str]:
    """An empty replica for a generation."""
    return Serving(ref.id, Replica(ref.bits, SEGMENTS, TAXONOMY), ref.id)


def serving_process(store: CodeStore) -> Swap[Replica, str]:
    """What serves the published generation; a context manager."""
    return Swap(Collection(store, COLLECTION, "serving"), opened)


def looking(store: CodeStore, swap: Swap[Replica, str], ledger: Ledger) -> Callable[[], Iterator[Violation]]:
    """Compares what is served, once it has all that was written before.

    Raises (what is returned):
        TaxohashError: it has not in time.
    """

    def look() -> Iterator[Violation]:
        since = time.monotonic()
        serving = swap.serving
        pointer, tallies = store.pointer(COLLECTION), store.tallies(COLLECTION)
        token = Token(pointer.incarnation[:8], {i: tally.position for i, tally in enumerate(tallies)})
        if not swap.wait(token, _SECONDS) or swap.serving is not serving or serving is None:
            raise TaxohashError(f"what is served does not catch up, or was swapped: {swap.error}")
        seen = _all_of(serving)
        moment = Moment(since, time.monotonic())
        ledger.update()
        if not is_live(store, serving.generation) or ledger.failed_over_after(since - _AFTER_FAILOVER):
            return iter(())
        return check_view(seen, serving.generation, ledger, moment, "serving process")

    return look


def _all_of(serving: Serving[Replica, str]) -> list[Seen]:
    """All members. The code of each is the one by which it is found, at distance 0; b"" where it is not found so."""
    view, generation = serving.replica.view(), serving.generation
    rows = np.arange(len(view._state.arrays))
    ids, labels, tags = view.ids_of(rows), view.labels_of(rows), view.tags_of(rows)
    members = [row for row in rows.tolist() if ids[row]]
    if not members:
        return []
    ordered = {
        row: tuple(sorted(tags[row], key=lambda tag: (_ORDER.index(tag.split()[0]), tag))) for row in members
    }
    pictures = [ordered[row][1].removeprefix("p ") if len(ordered[row]) > 1 else "" for row in members]
    codes = [code_of(ids[row], picture, generation) for row, picture in zip(members, pictures, strict=True)]
    queries = np.frombuffer(b"".join(codes), np.uint8).reshape(len(members), -1)
    found = view.search(queries, radius=0)
    coded = set(view.search(queries[:1], radius=serving.replica.bits).rows.tolist())
    seen = []
    for i, row in enumerate(members):
        itself = row in found.rows[found.limits[i] : found.limits[i + 1]]
        code = codes[i] if itself else b"" if row in coded else None
        seen.append(Seen(ids[row], tuple(sorted(labels[row].tolist())), ordered[row], code))
    return seen
