"""All invariants of a store, read through a client while nobody writes; or of one reader while everybody does."""

import time
from collections.abc import Iterator

from services.codestore import CodeStore
from tests.chaos.contents import COLLECTION
from tests.chaos.invariants import Moment, Violation, check_items, check_segment, check_snapshot, check_view
from tests.chaos.ledger import Ledger
from tests.chaos.reading import View, fields_of


def check_at_rest(store: CodeStore, ledger: Ledger) -> Iterator[Violation]:
    """Every field of every segment, and every live generation by each way to read it. All that lacks a code has it by now."""
    ledger.update()
    moment = Moment(time.monotonic(), time.monotonic())
    pointer = store.pointer(COLLECTION)
    for segment in range(store.segments(COLLECTION)):
        yield from check_segment(segment, fields_of(store, segment))
    for known in store.generations(COLLECTION):
        if not known.live or known.state == "building":
            continue
        name = known.ref.id
        view = View(store, name, pointer.incarnation, store.segments(COLLECTION))
        seen = view.refresh()
        whole = all(item.code is not None for item in seen)
        yield from check_view(seen, name, ledger, moment, "pages")
        yield from check_snapshot(store.snapshot(COLLECTION, name), ledger, moment, whole)
        ids = sorted(ledger.ids)
        yield from check_items(
            dict(zip(ids, store.items(COLLECTION, ids, name), strict=True)), name, ledger, moment
        )


def settle(store: CodeStore, ledger: Ledger) -> int:
    """Take what is there for what was there, as nothing is under way.

    Returns:
        How many acknowledged writes a failover has lost, of those that no later write has hidden.
    """
    generation = store.published(COLLECTION)
    assert generation
    found = store.items(COLLECTION, ids := sorted(ledger.ids), generation.id)
    lost = set()
    outcomes: dict[str, tuple[str | None, str]] = {}
    for item_id, item in zip(ids, found, strict=True):
        version, picture = (item.tags[0][2:], item.tags[1][2:]) if item else (None, "")
        if version and version.startswith("data."):
            version, picture = "data", "data"
        lost |= {(touch.writer, touch.number) for touch in ledger.lost(item_id, version)}
        outcomes[item_id] = (version, picture)
    ledger.settle(outcomes)
    return len(lost)
