"""ONNX Runtime without a service: how it is set, how many pictures it takes on these cores, and what int8 makes of codes."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.rows import Row
from benchmarks.speed.serving import made
from benchmarks.speed.serving.made import BITS, DEMO, LARGE
from benchmarks.speed.serving.turns import Load
from taxohash.codes import unpack
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import MODEL, Hasher, Model
from taxohash.images import Pixels, Preprocessing, read_pixels
from taxohash.protocols import evaluate

BATCHES = (1, 4, 16)
CORES = os.cpu_count() or 1
_SEEN, _DATABASE, _QUERIES = 64, 600, 200  # pictures that int8 is fitted to, and on which it is judged
_PROTOCOL = "hierarchical"


def best_alone(generation: Path, pictures: Sequence[bytes], seconds: float) -> Row:
    """The most pictures a second that decoding and the network take on all cores, of all sizes of batches: one thread a core, each
    with batches of its own, or batches of which all cores take a part."""
    read = partial(read_pixels, preprocessing=Hasher(generation).generation.preprocessing)
    found: list[Row] = []
    with ThreadPoolExecutor(CORES) as pool:

        def together(model: Model, some: Sequence[bytes]) -> None:
            model.queries(np.stack(list(pool.map(read, some))))

        def each(model: Model, some: Sequence[bytes]) -> None:
            model.queries(np.stack(list(map(read, some))))

        for (threads, at_once, way), batch in product(((1, CORES, each), (CORES, 1, together)), BATCHES):
            work = partial(way, Model(generation / MODEL, threads), pictures[:batch])
            rate = batch * _rate(work, at_once, seconds)
            found.append({"threads": threads, "batch": batch, "per_second": round(rate, 1)})
    return max(found, key=lambda row: float(row["per_second"]))


def settings(load: Load, data: Path | None) -> list[Row]:
    """Pictures a second of each network by threads and size of batches, as it is and in int8; and what int8 makes of its codes."""
    rows: list[Row] = []
    for network in (DEMO, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            generation = made.generation(Path(folder) / network, network)
            preprocessing = Hasher(generation).generation.preprocessing
            pictures = _pictures(network, data, _DATABASE + _QUERIES)
            pixels = _decoded(pictures[:_SEEN], preprocessing)
            eight = Path(folder) / "int8.onnx"
            quantise(generation / MODEL, eight, pixels)
            for name, file in (("float32", generation / MODEL), ("int8", eight)):
                for threads, at_once, batch in product((1, CORES), (1, CORES), BATCHES):
                    if threads == 1 or at_once == 1:
                        work = partial(Model(file, threads).outputs, pixels[:batch])
                        rate = batch * _rate(work, at_once, load.seconds)
                        rows.append(
                            {
                                "measure": "onnx", "network": network, "numbers": name, "threads": threads, "at_once": at_once,
                                "batch": batch, "per_second": round(rate, 1),
                            }
                        )  # fmt: skip
            rows.append({"measure": "int8", "network": network} | _judged(generation, eight, network, data))
    return rows


def quantise(file: Path, out: Path, pixels: Pixels) -> None:
    """Write a network in int8, weights by channel, its activations' ranges those of some pictures.

    Raises:
        TaxohashError: what this needs is not installed.
    """
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ModuleNotFoundError as error:
        raise TaxohashError(f"int8 needs {error.name}: install taxohash[train]") from None

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._parts = iter(np.array_split(pixels, 8))

        def get_next(self) -> dict[str, Any] | None:
            part = next(self._parts, None)
            return None if part is None else {"images": part}

    prepared = out.with_suffix(".prepared")
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared), str(out), Pictures(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv", "Gemm", "MatMul"],
    )  # fmt: skip


def _judged(generation: Path, eight: Path, network: str, data: Path | None) -> Row:
    """Share of bits that int8 changes, and mAP before and after, where there is a data set and a network that saw pictures before."""
    preprocessing = Hasher(generation).generation.preprocessing
    models = {"float32": Model(generation / MODEL, CORES), "int8": Model(eight, CORES)}
    if data is None or network == DEMO:
        pixels = _decoded(_pictures(network, None, _QUERIES), preprocessing)
        one, other = (model.encode_pixels(pixels) for model in models.values())
        return {"bits_changed": _changed(one, other), "of": "drawn pictures"}
    dataset = Dataset.open(data)
    draw = np.random.default_rng(0)
    codes: dict[str, list[Any]] = {name: [] for name in models}
    labels = []
    for split, count in (("train", _DATABASE), ("test", _QUERIES)):
        rows = np.sort(draw.permutation(dataset.count(split))[:count])
        pixels = _decoded(list(dataset.images(split, rows.tolist())), preprocessing)
        labels.append(dataset.labels(split)[rows])
        for name, model in models.items():
            codes[name].append(model.encode_pixels(pixels, 16))
    found: Row = {
        "bits_changed": _changed(codes["float32"][1], codes["int8"][1]),
        "of": dataset.taxonomy.name,
    }
    for name, (database, queries) in codes.items():
        report = evaluate(_PROTOCOL, queries, labels[1], database, labels[0], dataset.taxonomy, bits=BITS)
        found[f"mAP_{name}"] = round(float(report.metrics["mAP"]), 4)
    return found | {"protocol": _PROTOCOL, "database": _DATABASE, "queries": _QUERIES}


def _changed(one: Any, other: Any) -> float:
    return round(float(unpack(one ^ other, BITS).mean()), 4)


def _pictures(network: str, data: Path | None, count: int) -> list[bytes]:
    if data is None or network == DEMO:
        return made.pictures(network, min(count, _SEEN))
    dataset = Dataset.open(data)
    return list(dataset.images("train", list(range(min(count, dataset.count("train"))))))


def _decoded(pictures: Sequence[bytes], preprocessing: Preprocessing) -> Pixels:
    return np.stack([read_pixels(picture, preprocessing) for picture in pictures])


def _rate(work: Callable[[], object], at_once: int, seconds: float) -> float:
    """How often a second work is done by so many threads, after once that warms up."""
    work()

    def again() -> int:
        done = 0
        while time.perf_counter() < until:
            work()
            done += 1
        return done

    with ThreadPoolExecutor(at_once) as pool:
        begun = time.perf_counter()
        until = begun + seconds
        done = sum(pool.map(lambda _: again(), range(at_once)))
        return done / (time.perf_counter() - begun)
