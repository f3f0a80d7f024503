"""Batches of new items are written as runs where they can be: what is kept is as if each had come alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codestore import CodeStore, GenerationRef, Item
from taxohash.taxonomy import Taxonomy
from tests.support.store_reading import check_segments

TAXONOMY = Taxonomy("t", (("a",), ("b",), ("c",)))

KINDS = ("", "uri", "tags", "labels", "picture")

seeds = st.integers(0, 2**32 - 1)


def batches_of(seed: int, rich: float) -> list[list[tuple[int, str]]]:
    """Batches of items in any order, some known, some new, up to three blocks of them; few or many of another kind than the plain."""
    rng = np.random.default_rng(seed)
    numbers = [rng.permutation(250)[: rng.integers(1, 250)].tolist() for _ in range(3)]
    return [
        [(number, rng.choice(KINDS[1:]) if rng.random() < rich else "") for number in own] for own in numbers
    ]


def item_of(number: int, kind: str) -> Item:
    return Item(
        f"id {number:013d}",
        (0, 2) if kind == "labels" else (number % 3,),
        uri=f"uri {number}" if kind == "uri" else "",
        tags=("tag",) if kind == "tags" else (),
        picture=f"{number:064x}" if kind == "picture" else "",
    )


@settings(max_examples=10)
@given(seeds, st.sampled_from([0.0, 0.01, 0.3]), st.booleans())
def test_a_batch_is_kept_as_its_items_one_by_one(seed: int, rich: float, by_api: bool) -> None:
    batches = batches_of(seed, rich)
    deleted = [item_of(number, "").id for number, _ in batches[0][::9]] if by_api else []
    with CodeStore.connect("memory://") as store:
        for name, size in (("whole", 250), ("single", 1)):
            store.create(name, TAXONOMY, segments=1)
            store.begin(name, GenerationRef("g", 12, TAXONOMY.sha256))
            for turn, batch in enumerate(batches):
                items = [item_of(*one) for one in batch]
                codes = np.array([[number, 16 * turn] for number, _ in batch], np.uint8)
                for first in range(0, len(items), size):
                    part = slice(first, first + size)
                    if by_api:
                        store.upsert(name, items[part], {"g": codes[part]})
                    else:
                        store.fill(name, "g", items[part], codes[part])
                if turn == 0 and deleted:  # free rows here and there
                    store.delete(name, deleted)
        (whole,), (single,) = store.tallies("whole"), store.tallies("single")
        assert (whole.items, whole.members, whole.codes) == (single.items, single.members, single.codes)
        assert {kind: total for kind, total in whole.sums.items() if kind != "catalog"} == {
            kind: total for kind, total in single.sums.items() if kind != "catalog"
        }
        assert list(store.scan("whole")) == list(store.scan("single"))
        for name in ("whole", "single"):
            check_segments(store, name)
