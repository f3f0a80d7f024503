"""A generation is loaded from a store whose taxonomy has grown since."""

from collections.abc import Iterator

import numpy as np
import pytest

from services.codestore import CodeStore, Item, Snapshot
from services.retrieval.schemas.search import Wishes
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.taxonomy import Taxonomy
from tests.support.application import engine_of
from tests.support.generations import SIDE, TAXONOMY

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
