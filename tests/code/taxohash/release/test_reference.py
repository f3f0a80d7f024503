"""The reference is what a service answers."""

from collections.abc import Iterator

import numpy as np
import pytest

from services.codestore import CodeStore, GenerationRef, Item
from services.retrieval.schemas.search import Wishes
from taxohash.codes import unpack
from taxohash.datasets import Dataset
from taxohash.datasets.writer import Row, write_dataset
from taxohash.generation.hasher import CODES, ITEMS, Hasher
from taxohash.generation.manifest import Generation
from taxohash.generation.reference import NOTHING, Reference
from taxohash.images import read_pixels
from taxohash.release.reference import measured, summary
from taxohash.runtime.atomic import write_json
from tests.support.application import engine_of
from tests.support.calibrations import KNOWN
from tests.support.generations import BITS, SIDE, TAXONOMY, make_generation, png

COUNTS = {"train": 40, "test": 30}


def picture(label: int, number: int) -> bytes:
    """One of a class: much like the others of it; some are flat, and unlike all."""
    base = np.random.default_rng(label).integers(20, 236, (SIDE, SIDE))
    if number % 5 == 0:
        base = base // 8 + 100
    return png((base + np.random.default_rng(number).integers(-20, 20, (SIDE, SIDE))).astype(np.uint8))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("reference") / "data"
    splits = [
        (split, [Row(picture(row % 6, row + 1000 * (split == "test")), f"{split}/{row}", row % 6) for row in range(count)])
        for split, count in COUNTS.items()
    ]  # fmt: skip
    write_dataset(folder, TAXONOMY, splits)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def hasher(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    """A generation of both splits."""
    folder = tmp_path_factory.mktemp("made") / "generation"
    made = make_generation(folder, calibration=KNOWN)
    preprocessing = made.preprocessing
    codes = np.concatenate(
        [Hasher(folder).encode_pixels(data.pixels(split, preprocessing)) for split in COUNTS]
    )
    np.save(folder / CODES, codes)
    items = {
        "ids": [f"{split}/{row}" for split, count in COUNTS.items() for row in range(count)],
        "labels": [[row % 6] for count in COUNTS.values() for row in range(count)],
    }
    write_json(folder / ITEMS, items)
    parts = [{"split": split, "rows": count} for split, count in COUNTS.items()]
    Generation(**{**made.__dict__, "database": parts}).write(folder)
    return Hasher(folder)


@pytest.fixture(scope="module")
def reference(data: Dataset, hasher: Hasher) -> Reference:
    preprocessing = hasher.generation.preprocessing
    return measured(hasher.model, preprocessing, data, "test", [*COUNTS], hasher.codes, KNOWN)


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        yield made


def test_each_query_is_answered_as_a_service_without_it_answers(
    data: Dataset, hasher: Hasher, reference: Reference, store: CodeStore
) -> None:
    items = [Item(item_id, own) for item_id, own in zip(hasher.ids, hasher.labels, strict=True)]
    ref = GenerationRef(hasher.generation.id, BITS, TAXONOMY.sha256)
    store.create("default", TAXONOMY, segments=1)
    store.begin("default", ref)
    store.fill("default", ref.id, items, hasher.codes)
    store.seal("default", ref.id)
    store.publish("default", ref.id)
    tops = [path[0] for path in TAXONOMY.class_paths(0)]
    engine = engine_of(store, hasher.folder)
    assert reference.told is not None
    assert reference.unlike is not None
    assert reference.confidence is not None
    assert reference.codes is not None
    kept = np.array([not item.startswith("test/") for item in hasher.ids])
    for row, data_of in enumerate(data.images("test")):
        query = engine.of_picture(read_pixels(data_of, hasher.generation.preprocessing))
        answer = engine.search(query, Wishes(k=30))
        assert bytes.fromhex(answer["code"]) == reference.codes[row].tobytes()
        assert answer["unlike"] is bool(reference.unlike[row])
        code = unpack(reference.codes[row : row + 1], BITS)
        distances = (unpack(hasher.codes, BITS) != code).sum(axis=1)
        distances[len(kept[kept]) + row] = BITS  # itself
        assert reference.nearest[row] == distances.min()
        if answer["unlike"]:
            assert reference.told[row] == NOTHING
            assert not reference.confidence[row].any()
    assert 0 < reference.unlike.sum() < len(reference)
    # Asked of a generation of the training pictures alone, the service and the reference have the same items.
    alone = measured(
        hasher.model, hasher.generation.preprocessing, data, "test", ["train"], hasher.codes[:40], KNOWN
    )
    store.delete("default", [item for item in hasher.ids if item.startswith("test/")])
    engine = engine_of(store, hasher.folder)
    assert alone.told is not None
    assert alone.confidence is not None
    for row, data_of in enumerate(data.images("test")):
        query = engine.of_picture(read_pixels(data_of, hasher.generation.preprocessing))
        answer = engine.search(query, Wishes(k=30))
        told = answer["predicted"]
        sure = [node["confidence"] for node in told]
        assert alone.confidence[row] == pytest.approx(sure + [0.0] * (TAXONOMY.depth - len(sure)), abs=1e-4)
        assert alone.told[row] == (tops.index(told[0]["name"]) if told else NOTHING)
        assert alone.nearest[row] == engine.nearest(answer["code"])
    assert len({*alone.told.tolist()}) > 2
    assert alone.confidence[:, 0].any()


def test_people_are_told_what_it_comes_to(data: Dataset, reference: Reference) -> None:
    said = summary(reference, data.taxonomy)
    assert said["queries"] == 30
    assert sum(said["nearest_distance"]) == 30
    assert sum(said["told"].values()) == pytest.approx(1, abs=1e-5)
    assert set(said["told"]) == {"", "warm", "cold", "grey <b>&amp;"}
    assert reference.confidence is not None
    assert [*said["confidence"]] == [*TAXONOMY.levels]
    assert said["confidence"]["kind"] == pytest.approx(float(reference.confidence[:, 0].mean()), abs=1e-5)
    assert said["unlike"] == pytest.approx(6 / 30)
    assert len(said["bit_share"]) == BITS
    assert reference.labelled is not None
    tops = [path[0] for path in TAXONOMY.class_paths(0)]
    assert [tops[top] for top in reference.labelled[:6]] == [path[0] for path in TAXONOMY.paths]


def test_what_was_not_measured_is_left_out(data: Dataset, hasher: Hasher) -> None:
    found = measured(
        hasher.model, hasher.generation.preprocessing, data, "test", ["train"], hasher.codes[:40], None
    )
    assert found.told is None
    assert found.unlike is None
    assert found.confidence is None
    assert not {"told", "unlike", "canary_recall", "confidence"} & {*summary(found, data.taxonomy)}
