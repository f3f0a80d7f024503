"""A generation is loaded from a store whose taxonomy has grown since, and says what its answers are worth."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.codestore import CodeStore, GenerationRef, Item, Snapshot
from services.retrieval.schemas.search import Answer, Wishes
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.runtime.configuration import plain
from taxohash.taxonomy import Taxonomy
from tests.support.application import engine_of
from tests.support.calibrations import KNOWN
from tests.support.generations import SIDE, TAXONOMY, make_generation

PATHS = TAXONOMY.paths
# Two labels more, the first of them between the others, and one that has moved.
GROWN = Taxonomy(
    "signs",
    (*PATHS[:2], ("warm", "orange"), ("warm", "golden"), *PATHS[3:], ("black",)),
    TAXONOMY.level_names,
)
MOVED = {PATHS[2]: ("warm", "golden")}
PIXELS = np.zeros((1, SIDE, SIDE), np.uint8)


@pytest.fixture
def store(snapshot: Snapshot) -> Iterator[CodeStore]:
    """The session's items as a published generation, and two of the API with labels that are new."""
    ids = snapshot.ids.tolist()
    items = [Item(i, tuple(snapshot.labels[row].tolist())) for row, i in enumerate(ids)]
    with CodeStore.connect("memory://") as made:
        made.create("default", TAXONOMY, segments=3)
        made.begin("default", snapshot.generation)
        made.fill("default", snapshot.generation.id, items, snapshot.codes)
        made.seal("default", snapshot.generation.id, len(items))
        made.publish("default", snapshot.generation.id)
        labels = made.grow("default", GROWN, MOVED)
        orange, black = labels.number_of(("warm", "orange")), labels.number_of(("black",))
        new = [Item("orange", (orange,)), Item("black sky", (black, 4)), Item("gold", (2,))]
        made.upsert("default", new, {snapshot.generation.id: snapshot.codes[:3]})
        yield made


def test_an_older_generation_is_served_in_its_own_words_and_tells_what_it_cannot_say(
    store: CodeStore, hasher: Hasher, snapshot: Snapshot
) -> None:
    assert store.taxonomy("default").sha256 == GROWN.sha256
    engine = engine_of(store, hasher.folder)
    results = engine.search(engine.of_picture(PIXELS), Wishes(k=len(engine)))["results"]
    paths = {result["id"]: [tuple(path) for path in result["label_paths"]] for result in results}
    assert len(paths) == len(snapshot.ids) + 3
    for row, item_id in enumerate(snapshot.ids.tolist()):
        assert paths[item_id] == [PATHS[label] for label in snapshot.labels[row].tolist()]
    assert paths["orange"] == []
    assert paths["black sky"] == [PATHS[4]]
    assert paths["gold"] == [PATHS[2]]  # by its name in the generation's tree
    assert engine.describe_generation()["items_with_unknown_labels"] == 2
    assert engine.describe_generation()["codes"] == len(paths)
    assert engine.describe_generation()["without_code"] == 0


def test_a_node_that_the_generation_does_not_know_is_refused(store: CodeStore, hasher: Hasher) -> None:
    engine = engine_of(store, hasher.folder)
    with pytest.raises(TaxohashError, match="orange"):
        engine.search(engine.of_picture(PIXELS), Wishes(within="warm/orange"))


def test_an_answer_says_what_it_is_worth_as_it_was_measured(snapshot: Snapshot, tmp_path: Path) -> None:
    made = replace(make_generation(tmp_path), calibration=plain(KNOWN)).write(tmp_path)
    items = [Item(name, (label,)) for name, label in (("a", 0), ("b", 0), ("c", 3), ("d", 5))] + [
        Item("bare")
    ]
    with CodeStore.connect("memory://") as store:
        store.create("default", TAXONOMY, segments=3)
        store.begin("default", GenerationRef(made.id, made.bits, made.taxonomy_sha256))
        codes = np.zeros((5, snapshot.codes.shape[1]), np.uint8)
        codes[2:4] = np.packbits(np.ones(made.bits, np.uint8))  # as far as can be
        store.fill("default", made.id, items, codes)
        store.seal("default", made.id, 5)
        store.publish("default", made.id)
        engine = engine_of(store, tmp_path)
        query = engine.of_code("00" * codes.shape[1])
        told = engine.search(query, Wishes(k=5))
        assert {result["id"]: result["probabilities"] for result in told["results"]} == {
            "a": [0.5, 0.4, 0.3],
            "b": [0.5, 0.4, 0.3],
            "c": [0, 0, 0],
            "d": [0],
            "bare": [],
        }
        # The query's own path is read from the nearest of all items, whatever is asked for.
        for wishes in (Wishes(k=1), Wishes(k=5, within="grey <b>&amp;"), Wishes(k=2, radius=0)):
            some = engine.search(query, wishes)
            assert some["predicted"] == told["predicted"]
            assert all("probabilities" in result for result in some["results"])
        assert "unlike" not in told
        picture = engine.search(engine.of_picture(PIXELS), Wishes(k=5))
        assert "predicted" in picture
        Answer.model_validate(picture | {"age_seconds": None})


def test_an_answer_of_what_was_not_measured_does_not_say_what_it_is_worth(
    store: CodeStore, hasher: Hasher
) -> None:
    engine = engine_of(store, hasher.folder)
    told = engine.search(engine.of_picture(PIXELS), Wishes(k=3))
    assert {"predicted", "unlike", "novelty"}.isdisjoint(told)
    assert all("probabilities" not in result for result in told["results"])
