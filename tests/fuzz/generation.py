"""Any bytes as the files of a generation, sealed by right digests more often than not."""

import hashlib
import io
import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taxohash.codes import Codes, code_bytes
from taxohash.drift.sample import Sample, Source
from taxohash.generation.calibration import SURE, Calibration, Curve, Map, Rankings, depths_of
from taxohash.generation.hasher import CENTRES, CODES, ITEMS, Hasher
from taxohash.generation.manifest import MANIFEST, Generation
from taxohash.generation.reference import REFERENCE, Reference
from taxohash.runtime.configuration import plain
from tests.fuzz.mutations import changed_bytes, changed_json
from tests.support.generations import TAXONOMY, make_generation, pictures
from tests.support.outcome import answer

MEMORY = 1024
WORDS = (
    b'"bits"', b'"preprocessing"', b'"files"', b'"id"', b'"format"', b'"database"', b'"size"', b'"channels"', b'"fit"', b'"mean"',
    b'"std"', b'"reader"', b'"pad"', b'"crop"', b'"../x"', b'"\\n"', b"\x93NUMPY\x01\0", b"'descr'", b"'|u1'", b"'|O'", b"'shape'",
    b"'fortran_order'", b"True", b"taxonomy.json", b"hasher.onnx", b"items.json", b'"ids"', b'"labels"',
    b'"calibration"', b'"seen"', b'"new"', b'"hamming"', b'"weighted"', b'"shared"', b'"scores"', b'"probabilities"', b'"novelty"',
)  # fmt: skip
BITS = 8
_CURVES = (Curve(scores=(0.0, 1.0), probabilities=(0.9, 0.1)),) * TAXONOMY.depth
_MAP = Map(shared=_CURVES, predicted=_CURVES)
_MAPS = Rankings(hamming=_MAP, weighted=_MAP)
CALIBRATION = Calibration(nearest=2, learned_from="train", seen=_MAPS, new=_MAPS, novelty=(1.0, 2.0))


def seeds() -> Iterator[bytes]:
    """A whole generation, one that says which splits it holds, one that is calibrated, one that keeps queries, and one of the first reader
    without class codes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_generation(folder, bits=BITS)
        np.save(folder / CODES, np.arange(5, dtype=np.uint8)[:, None])
        np.save(folder / CENTRES, np.arange(6, dtype=np.uint8)[:, None])
        items = {"ids": [*"abcde"], "labels": [[0], [1, 5], [], [3], [2]]}
        (folder / ITEMS).write_text(json.dumps(items))
        for database in ([], [{"split": "train", "rows": 3}, {"split": "test", "rows": 2}]):
            replace(made, database=database).write(folder)
            yield _packed(_files(folder))
        calibrated = replace(made, calibration=plain(CALIBRATION))
        calibrated.write(folder)
        yield _packed(_files(folder))
        numbers = np.arange(4, dtype=np.int32)
        canaries = np.ones((3, TAXONOMY.depth), np.float32)
        codes, confidence = np.zeros((4, 1), np.uint8), canaries[:1].repeat(4, axis=0)
        Reference(BITS, numbers, codes, numbers - 1, numbers > 2, numbers, canaries, confidence).save(folder)
        calibrated.write(folder)
        yield _packed(_files(folder))
        (folder / REFERENCE).unlink()
        (folder / CENTRES).unlink()
        replace(made, preprocessing=replace(made.preprocessing, reader=1)).write(folder)
        yield _packed(_files(folder))


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another file of a generation, or another manifest."""
    draw = random.Random(seed)
    files = _unpacked(data)
    if not files or draw.random() < 0.05:
        return changed_bytes(data, most)
    name = MANIFEST if draw.random() < 0.6 else draw.choice(list(files))
    change = changed_json if name.endswith(".json") else lambda old, most, _: changed_bytes(old, most)
    files[name] = change(files.get(name, b""), most, draw)
    if draw.random() < 0.9:
        files[MANIFEST] = _sealed(files)
    return _packed(files)[:most]


def attempt(data: bytes, folder: Path) -> None:
    """A generation that is taken encodes, and has the codes and the items that it says."""
    for file in folder.iterdir():
        file.unlink()
    for name, content in _unpacked(data).items():
        with suppress(OSError, ValueError):  # no such name
            (folder / Path(name).name).write_bytes(content)
    if (hasher := answer(lambda: Hasher(folder))) is None:
        return
    assert Generation.load(folder).id == json.loads((folder / MANIFEST).read_text())["id"]
    _check(hasher.encode(pictures(2)), (2, code_bytes(hasher.bits)))
    if (known := hasher.calibration) is not None:
        every = np.arange(-1, len(hasher.taxonomy))
        depths, seen = depths_of(hasher.taxonomy, every), every % 2 == 0
        shared = known.shared("weighted", np.linspace(0, 1, len(every)), seen, depths)
        assert np.nanmin(shared, initial=0) >= 0
        assert np.nanmax(shared, initial=1) <= 1
        path = known.predicted("weighted", hasher.taxonomy, shared, seen, every)
        assert all(SURE <= confidence <= 1 for _, confidence in path)
        known.strangeness(np.ones((1, 2), np.float32))
    if (codes := answer(lambda: hasher.codes)) is not None:
        _check(codes, (len(codes), code_bytes(hasher.bits)))
        if (labels := answer(lambda: hasher.labels)) is not None:
            assert len(hasher.ids) == len(labels) == len(codes)
            node = hasher.taxonomy.paths[0][0]
            below = {*hasher.taxonomy.subtree(node).tolist()}
            assert hasher.below(node).tolist() == [any(label in below for label in own) for own in labels]
    if (reference := answer(lambda: Reference.load(folder))) is not None and reference.bits == hasher.bits:
        sources: tuple[Source, ...] = ("queries", "items")
        for source in sources:
            for part in Sample.of_reference(reference, source).columns(hasher.bits, 2).values():
                assert len(part) == len(reference)
                assert set(np.unique(part)) <= {0, 1}
    if hasher.centres is not None:
        _check(hasher.centres, (len(hasher.taxonomy), code_bytes(hasher.bits)))


def _check(codes: Codes, shape: tuple[int, int]) -> None:
    assert codes.dtype == np.uint8
    assert codes.shape == shape


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def _packed(files: dict[str, bytes]) -> bytes:
    """Files as one input: a line of their names and lengths, then what they hold."""
    lengths = {name: len(content) for name, content in files.items()}
    return json.dumps(lengths).encode() + b"\n" + b"".join(files.values())


def _unpacked(data: bytes) -> dict[str, bytes]:
    line, _, rest = data.partition(b"\n")
    try:
        lengths = dict(json.loads(line))
        content = io.BytesIO(rest)
        return {str(name): content.read(int(length)) for name, length in lengths.items()}
    except (ValueError, TypeError, OverflowError, RecursionError):
        return {}


def _sealed(files: dict[str, bytes]) -> bytes:
    """The manifest with the digests of the files that it names, and its own id, where it has a place for them."""
    manifest = files.get(MANIFEST, b"")
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        data: dict[str, Any] = json.loads(manifest)
        for name in set(data["files"]) & set(files):
            data["files"][name] = hashlib.sha256(files[name]).hexdigest()
        said = {name: value for name, value in data.items() if name not in ("id", "format")}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        data["id"] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return json.dumps(data).encode()
    return manifest
