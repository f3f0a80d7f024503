"""Any bytes as an index file, its checksums right more often than not; answers against a scan of the codes it holds."""

import json
import math
import random
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from taxohash.hamming import HammingIndex, arrange, centres, layouts, moment
from taxohash.hamming.storage import MAGIC
from taxohash.hamming.words import LINE_BYTES, from_words, width_of
from tests.fuzz.mutations import changed_bytes, changed_tree
from tests.support.hamming_oracle import distances, make_codes, nearest
from tests.support.outcome import answer

MEMORY = 1024
WORDS = (
    MAGIC, b'"bits"', b'"layout"', b'"count"', b'"dead"', b'"removed"', b'"end"', b'"built"', b'"arrays"', b'"bytes"', b'"dtype"',
    b'"shape"', b'"offset"', b'"crc32"', b'"flat"', b'"sliced"', b'"rings"', b'"<u8"', b'"<u4"', b'"<i8"', b'"|u1"', b'"alive"',
)  # fmt: skip
# Kinds, numbers of codes, and codes a centre: flat, sliced, rings with bit-sliced bodies, centres in several groups.
SEEDS = (
    ("uniform", 20, 60),
    ("uniform", 210, 60),
    ("duplicates", 400, 60),
    ("clustered", 400, 60),
    ("clustered", 400, 5),
)
BITS = (12, 64, 100)  # of the seeds; kernels are compiled for codes of one and of two words
MOST_WORDS = 2
MOST_CODES = 4096  # of an index that is searched
KINDS = {kind: np.dtype(kind) for kind in ("<u8", "<u4", "<i8", "|u1")}
_LEAD = struct.Struct("<8sQI")

# A few hundred codes take the paths of millions.
for _module, _settings in {
    centres: {"FEWEST_CODES": 300},
    arrange: {"SLICE_FROM": 200},
    layouts: {"SLICE_FROM": 200},
    moment: {"LONG_K": 30},
}.items():
    vars(_module).update(_settings)


def seeds() -> Iterator[bytes]:
    """Each layout, for codes of several lengths; as built, with removed, updated and added codes, and compacted."""
    draw = np.random.default_rng(0)
    for kind, count, codes_a_centre in SEEDS:
        vars(centres)["CODES_PER_CENTRE"] = codes_a_centre
        for bits in BITS:
            made = HammingIndex.build(make_codes(draw, count, bits, kind), bits)
            yield _saved(made)
            made.remove([1, 7])
            made.update([2, 3], make_codes(draw, 2, bits, kind))
            made.remove(made.add(make_codes(draw, 5, bits, kind))[1:3])
            yield _saved(made)
            made.compact()
            yield _saved(made)
    yield _saved(HammingIndex.build(np.empty((0, 8), np.uint8), 64))


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another index file: another header, or other values in an array, under the checksums they should have."""
    draw = random.Random(seed)
    try:
        header, body = _parts(data)
        entries = header["arrays"]
        if draw.random() < 0.1:
            raise ValueError("as bytes")
        if draw.random() < 0.4:
            header = changed_tree(header, draw)
        else:
            for _ in range(draw.randint(1, 3)):
                _change(body, entries[draw.choice(list(entries))], draw)
        return _sealed(header, body)[:most]
    except Exception:  # whatever its odd parts lead to
        return changed_bytes(data, most)


def attempt(data: bytes, folder: Path) -> None:
    """An index that is taken answers as a scan of its codes, changed or not."""
    file = folder / "index"
    file.write_bytes(data)
    made = answer(lambda: HammingIndex.load(file, mmap=len(data) % 2 == 0))
    if made is None or len(width_of(made.bits)) > MOST_WORDS or made.rows > MOST_CODES:
        return
    codes, live = _content(made)
    assert len(made) == live.size
    _check(made, codes, live)
    draw = np.random.default_rng(len(data))
    new = make_codes(draw, 3, made.bits, "uniform")
    added = made.add(new)
    codes = np.concatenate([codes, new])
    gone = live[::3]
    made.remove(gone)
    live = np.concatenate([np.setdiff1d(live, gone), added])
    _check(made, codes, live)
    made.compact()
    _check(made, codes, live)
    made.save(file)
    _check(HammingIndex.load(file), codes, live)


def _content(made: HammingIndex) -> tuple[Any, Any]:
    """The code of every row, uint8[rows, bytes], and the rows that are alive, both without any search."""
    version, bits = made._version, made.bits
    codes = np.zeros((made.rows, -(-bits // 8)), np.uint8)
    alive = np.unpackbits(version.alive, bitorder="little").nonzero()[0]
    for part in (version.base, version.tail):
        words = part.words().reshape(-1, len(width_of(bits)))
        numbers = part.rows[: len(part)].astype(np.int64) if part.rows.size else np.arange(len(part))
        if part is version.base:
            here = np.isin(numbers, alive)
        else:
            here = numbers != 2**32 - 1
            alive = np.concatenate([alive, numbers[here]])
        codes[numbers[here]] = from_words(words, bits)[here]
    return codes, np.sort(alive)


def _check(made: HammingIndex, codes: Any, live: Any) -> None:
    draw = np.random.default_rng(live.size)
    queries = np.concatenate([codes[live[:1]], make_codes(draw, 2, made.bits, "uniform")])
    for k in (5, moment.LONG_K + 1):
        for found, wanted in zip(made.search(queries, k), nearest(codes, queries, k, live), strict=True):
            np.testing.assert_array_equal(found, wanted)
    radius = made.bits // 3
    limits, near, rows = made.range_search(queries, radius)
    for i, query in enumerate(queries):
        own = distances(codes[live], query)
        order = np.argsort(own, kind="stable")
        order = order[own[order] <= radius]
        np.testing.assert_array_equal(near[limits[i] : limits[i + 1]], own[order])
        np.testing.assert_array_equal(rows[limits[i] : limits[i + 1]], live[order])
    some = live[::2]
    for found, wanted in zip(made.search(queries, 4, some), nearest(codes, queries, 4, some), strict=True):
        np.testing.assert_array_equal(found, wanted)


def _saved(made: HammingIndex) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "index"
        made.save(file)
        return file.read_bytes()


def _parts(data: bytes) -> tuple[Any, bytearray]:
    """The header of an index file, and what follows it."""
    _, length, _ = _LEAD.unpack_from(data)
    return json.loads(data[_LEAD.size : _LEAD.size + length]), bytearray(data[_padded(_LEAD.size + length) :])


def _sealed(header: Any, body: bytearray) -> bytes:
    """The index file of a header and what follows it, all checksums right that can be."""
    for entry in header["arrays"].values():
        with suppress(ValueError, TypeError, KeyError, OverflowError):
            size = math.prod(entry["shape"]) * KINDS[entry["dtype"]].itemsize
            entry["crc32"] = zlib.crc32(body[entry["offset"] : entry["offset"] + size]) if size else 0
    text = json.dumps(header).encode()
    lead = _LEAD.pack(MAGIC, len(text), zlib.crc32(text)) + text
    return lead.ljust(_padded(len(lead)), b"\0") + body


def _change(body: bytearray, entry: Any, draw: random.Random) -> None:
    """Give an element of an array, or a run of them, another value, most often one like those beside it."""
    kind = KINDS[entry["dtype"]]
    count = math.prod(entry["shape"])
    array = np.frombuffer(body, kind, count, entry["offset"])
    at, other = draw.randrange(count), draw.randrange(count)
    limits = np.iinfo(kind)
    with np.errstate(over="ignore"):
        match draw.randrange(6):
            case 0:
                array[[at, other]] = array[[other, at]]
            case 1:
                array[at] = array[other]
            case 2:
                array[at] += array.dtype.type(1)
            case 3:
                array[at] ^= array.dtype.type(1 << draw.randrange(limits.bits - 1))
            case 4:
                array[min(at, other) : max(at, other)] = array[at]
            case _:
                array[at] = draw.choice((0, 1, limits.max, limits.min, count, count - 1))


def _padded(size: int) -> int:
    return -(-size // LINE_BYTES) * LINE_BYTES
