"""Everything that a serving process asks of compiled kernels, so that it is known for which types they are needed.

What the types depend on: the words of a code, how codes are arranged, where arrays come from, how many sets there are.
"""

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.codestore.follower.replica import Replica
from services.codestore.follower.sets import Sets
from services.codestore.records import Columns, ItemLabels
from taxohash.codes import Codes
from taxohash.hamming import HammingIndex
from taxohash.taxonomy import Taxonomy

SEGMENTS = 2
ITEMS = 20_480  # enough for centres to be looked for, and for codes to be sliced
FEW = 300
LABELS = 100
TREE = Taxonomy("exercise", tuple((f"{label // 10}", f"{label}") for label in range(LABELS)))
LONG = 2100  # beyond `moment.LONG_K`


def exercise_items() -> None:
    """What is known of items: ids, labels, tags."""
    replica = Replica(64, SEGMENTS, TREE)
    several = ItemLabels.of(np.arange(FEW // 2, dtype=np.int32) % LABELS, np.ones(FEW // 2, np.int64))
    replica.load([_page(segment, _random(FEW // 2, 64), several) for segment in range(SEGMENTS)])
    replica.apply(_page(0, _random(FEW // 4, 64), _labels(FEW // 4)))
    replica.write([_page(1, _random(9, 64), _labels(9)) for _ in range(2)])
    ids = [f"0/{row}" for row in range(9)]
    rows = replica.rows_of(ids)
    replica.ids_of(rows)
    replica.labels_of(rows)
    replica.view().tags_of(rows)
    replica.view().unknown_labels()
    replica._packed.pack()
    sets = Sets()
    for numbers in (np.zeros(1, np.uint8), np.zeros(1, np.uint16), np.zeros(1, np.uint32)):
        sets.hold(numbers, numbers)
        sets.members(numbers)
        sets.any_between(numbers, 1, np.zeros(1, np.int32), 0, 1)
        sets.any_equal(numbers, 1, 0)
    sets.intern(
        np.arange(FEW, dtype=np.int32), np.arange(FEW), np.arange(FEW) + 1
    )  # more than there is room for


def exercise_codes(bits: int) -> None:
    """Search in codes of that length, however they are arranged."""
    draw = np.random.default_rng(0)
    centres = _random(ITEMS // 400, bits)
    noise = np.packbits(draw.random((ITEMS, 8 * centres.shape[1])) < 0.02, axis=1) & _own_bits(bits)
    clustered = centres[draw.integers(0, len(centres), ITEMS)] ^ noise
    for codes in (clustered, _random(ITEMS, bits), _random(FEW, bits)):
        half = len(codes) // SEGMENTS
        replica = Replica(bits, SEGMENTS, TREE, centres=centres)
        replica.load(
            [_page(n, codes[n * half : (n + 1) * half], _labels(half)) for n in range(SEGMENTS)],
        )
        for change in (None, codes[:FEW]):
            if change is not None:
                replica.apply(_page(0, change, _labels(FEW), total=half - 1))
            _search(replica, codes)
            replica.arrange()
            _search(replica, codes)
        index = replica._state.index
        index.moment().codes(np.arange(9))
        index.moment().histogram(codes[:1])
        for allowed in ([0], np.arange(index.rows) < 9):
            index.search(codes[:1], allowed=allowed)
        _weigh(index, codes[:16])
        _keep(index, codes)


def _search(replica: Replica, codes: Codes) -> None:
    """Of one and of many, all and some, by number and by distance."""
    for within in ((), "1", "1/10"):
        for queries in (codes[:1], codes[:16]):
            replica.search(queries, within=within)
            weights = np.ones((len(queries), replica.bits), np.float32)
            replica.search(queries, within=within, weights=weights)
            replica.search(queries, radius=3, within=within, weights=weights)
        replica.search(codes[:1], radius=3, within=within)
        replica.search(codes[:1], k=LONG, within=within)
    replica.search(codes[:1], tags="tag")


def _keep(index: HammingIndex, codes: Codes) -> None:
    """Write the index to a file, and search what is read again."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "index"
        index.save(file)
        for mmap in (True, False):
            read = HammingIndex.load(file, mmap)
            read.search(codes[:1])
            _weigh(read, codes[:1])


def _weigh(index: HammingIndex, queries: Codes) -> None:
    """Search by weights, of all and some, by number and by distance."""
    weights = np.ones((len(queries), index.bits), np.float32)
    for allowed in (None, [0]):
        for k in (1, LONG):
            index.search(queries, k, allowed, weights=weights)
        index.range_search(queries, 1.5, allowed, weights=weights)


def _page(segment: int, codes: Codes, labels: ItemLabels, total: int = 0) -> Columns:
    """Rows of a segment from 0 on, as they come from the store: codes and ids cannot be written."""
    count = len(codes)
    yes = np.ones(count, np.bool_)
    ids = b"".join(b"%d/%d\xff" % (segment, row) for row in range(count))
    read = np.frombuffer(codes.tobytes(), np.uint8).reshape(codes.shape)
    tags, fingerprints = {0: ("tag",)}, np.zeros(count, np.uint8)
    return Columns(
        segment, 1, 1, total or count, np.arange(count), yes, yes, yes, ids, labels, read, tags, fingerprints
    )


def _labels(count: int) -> ItemLabels:
    return ItemLabels.of(np.arange(count, dtype=np.int32) % LABELS, np.ones(count, np.int64))


def _random(count: int, bits: int) -> Codes:
    whole = np.random.default_rng(count).integers(0, 256, (count, -(-bits // 8)), np.uint8)
    codes: Codes = whole & _own_bits(bits)
    return codes


def _own_bits(bits: int) -> npt.NDArray[np.uint8]:
    """A code of ones."""
    return np.packbits(np.ones(bits, np.bool_))
