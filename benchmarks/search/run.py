"""Exact Hamming search beside its peers, interleaved in one process.

    python -m benchmarks.search [--sizes 100000,1000000] [--kinds uniform,c10] [--data data] [--json]

Every round runs each method once, so that whatever else the machine does hits all alike; the table gives the minimum
and the median over the rounds. Answers are compared with FAISS's flat index; recall is the share of answers no
farther than the true k-th. Writes benchmarks/results/search.{json,md,png}.
"""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import faiss
import llvmlite.binding as llvm
import numba as nb
import numkong
import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
import typer
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import search as usearch_search

from benchmarks.common.command import choices, numbers
from benchmarks.common.machine import cpu_model
from benchmarks.common.places import FASHION_MNIST, RESULTS
from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved, milliseconds, shortest, timed
from benchmarks.search.data import real, resampled, synthetic
from benchmarks.search.profile import profile
from benchmarks.search.report import write
from benchmarks.search.weighted import weighted
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming import HammingIndex, Selection
from taxohash.hamming.arrange import keep_flat
from taxohash.hamming.centres import NO_MASK, NO_ROWS, NO_WORDS
from taxohash.hamming.kernels import flat
from taxohash.hamming.kernels.bitslice import scan_sliced
from taxohash.hamming.kernels.conventions import EMPTY
from taxohash.hamming.layouts import Flat, Sliced
from taxohash.hamming.words import to_words, width_of
from taxohash.runtime.progress import announce
from taxohash.runtime.provenance import revision

KINDS = ("uniform", "c02", "c10", "zipf", "duplicates", "real")
BATCHES = (1, 10, 100, 1000)
SHARES = (0.001, 0.01, 0.1, 0.5)
LONGEST = 2.5  # seconds that one call may take; a method that needs more is not given larger batches
QUICK = 0.02  # seconds; a quicker call is made REPEATS times a round
REPEATS = 5
SLOW_ROUNDS = 3  # of a method that needs a fifth of LONGEST
HUGE = 100_000_000  # once
BYTES_NEEDED = 60  # a code, while an index and its peer are built
PREFIXES = {100_000: "100k", 1_000_000: "1M", 10_000_000: "10M", 100_000_000: "100M"}

Search = Callable[[Codes, int], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    sizes: list[int]
    kinds: list[str]
    data: Path
    work: Path
    rounds: int


def ours(index: HammingIndex, threads: int = 1) -> Search:
    return lambda queries, k: index.search(queries, k, threads=threads)[0]


def allowing(index: HammingIndex, allowed: "npt.NDArray[np.bool_] | Selection") -> Search:
    return lambda queries, k: index.search(queries, k, allowed=allowed)[0]


def own_flat(codes: Codes, bits: int) -> Search:
    """Our bit-sliced scan whatever the codes look like."""
    segment = keep_flat(bits, to_words(codes, bits).ravel(), NO_ROWS)
    if isinstance(segment, Flat):
        return lambda queries, k: _heaps(segment, to_words(queries, bits), k)
    assert isinstance(segment, Sliced)
    return lambda queries, k: _heaps(segment, to_words(queries, bits), k)


def _heaps(segment: Flat | Sliced, queries: npt.NDArray[np.uint64], k: int) -> npt.NDArray[np.int32]:
    best = np.full((len(queries), k), EMPTY)
    segment.search(queries, NO_MASK, best)
    distances, rows = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.int64)
    flat.finish(best, distances, rows)
    return distances


def of_faiss(index: Any, threads: int = 1) -> Search:
    def search(queries: Codes, k: int) -> npt.NDArray[np.int32]:
        faiss.omp_set_num_threads(threads)
        distances: npt.NDArray[np.int32] = index.search(queries, k)[0]
        return distances

    return search


def of_numpy(codes: Codes, bits: int) -> Search:
    words = to_words(codes, bits)

    def search(queries: Codes, k: int) -> npt.NDArray[np.int32]:
        found = []
        for query in to_words(queries, bits):
            distances = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int32)
            found.append(np.sort(np.partition(distances, k - 1)[:k]))
        return np.array(found)

    return search


def of_numkong(codes: Codes) -> Search:
    """All distances by NumKong, packed as it wants them; the k least by numpy."""
    packed = numkong.hammings_pack(codes, dtype="uint1")

    def search(queries: Codes, k: int) -> npt.NDArray[np.int32]:
        distances = np.asarray(numkong.hammings_packed(queries, packed))
        return np.sort(np.partition(distances, k - 1, axis=1)[:, :k], axis=1).astype(np.int32)

    return search


def of_usearch(codes: Codes) -> Search:
    def search(queries: Codes, k: int) -> npt.NDArray[np.int32]:
        found = usearch_search(
            codes, queries, k, MetricKind.Hamming, exact=True, dtype=ScalarKind.B1, threads=1
        )
        distances: npt.NDArray[np.int32] = (
            np.asarray(found.distances).reshape(len(queries), -1).astype(np.int32)
        )
        return distances

    return search


def approximate(codes: Codes, bits: int, big: bool) -> dict[str, Search]:
    """FAISS's indexes that may miss answers."""
    made: dict[str, Search] = {}
    faiss.omp_set_num_threads(1)
    quantiser = faiss.IndexBinaryFlat(bits)
    inverted = faiss.IndexBinaryIVF(quantiser, bits, 1024)
    inverted.cp.niter = 10
    inverted.train(codes[np.random.default_rng(0).integers(0, len(codes), min(65_536, len(codes)))])
    inverted.add(codes)
    for probes in (1, 4, 16):

        def probe(queries: Codes, k: int, probes: int = probes) -> npt.NDArray[np.int32]:
            inverted.nprobe = probes
            return of_faiss(inverted)(queries, k)

        made[f"faiss IVF1024 nprobe={probes}"] = probe
    if not big:
        tables = faiss.IndexBinaryMultiHash(bits, 4, bits // 4)
        tables.add(codes)
        made["faiss MultiHash 4"] = of_faiss(tables)
        graph = faiss.IndexBinaryHNSW(bits, 16)
        graph.hnsw.efConstruction = 100
        graph.add(codes)
        graph.hnsw.efSearch = 100
        made["faiss HNSW16 ef=100"] = of_faiss(graph)
    return made


def compared(
    methods: dict[str, Search], queries: Codes, k: int, batches: Sequence[int], rounds: int
) -> list[Row]:
    """Times of all methods, FAISS's flat index first, for all batch sizes, round by round; and their recall."""
    first: dict[tuple[str, int], float] = {}  # seconds of a first go, to leave out what would take too long
    recall: dict[tuple[str, int], float] = {}
    truth: dict[int, npt.NDArray[np.int32]] = {}  # distances, where FAISS's flat index was quick enough
    for name, search in methods.items():
        search(queries[:1], k)
        for batch in batches:
            found, first[name, batch], _ = timed(partial(search, queries[:batch], k))
            if name == "faiss flat":
                truth[batch] = found
            recall[name, batch] = float((found <= truth.get(batch, found)[:, -1:]).mean())
            if first[name, batch] * 10 > LONGEST:
                break

    def way(name: str, batch: int) -> Callable[[int], list[float]]:
        spent = first[name, batch]
        repeats = REPEATS if spent < QUICK else 1

        def at(number: int) -> float:
            start = number * batch % max(len(queries) - batch, 1)
            return timed(lambda: methods[name](queries[start : start + batch], k)).wall

        return lambda turn: (
            [at(turn * repeats + again) for again in range(repeats)]
            if turn < SLOW_ROUNDS or spent < LONGEST / 5
            else []
        )

    turns = [(name, batch) for batch in batches for name in methods if (name, batch) in first]
    times = interleaved({turn: way(*turn) for turn in turns}, rounds, warm_up=0)
    return [
        {"method": name, "batch": batch, "k": k}
        | milliseconds([first[name, batch], *spent])
        | {"recall": recall[name, batch]}
        for (name, batch), spent in times.items()
    ]


def limits(rounds: int) -> Row:
    """What the machine can do: memory read, and codes compared when all data are in the cache."""
    read = nb.njit(nogil=True)(_read)
    width = width_of(64)
    row: Row = {}
    for name, size in (("L2", 32_768), ("8 MB", 1_000_000), ("80 MB", 10_000_000)):
        words = np.random.default_rng(0).integers(0, 2**64, size, dtype=np.uint64)
        repeats = max(1, 2_000_000 // size)
        spent = shortest([partial(read, words, repeats)] * 4 * rounds)
        row[f"read {name} GB/s"] = 8 * size * repeats / spent / 1e9
    words = np.random.default_rng(0).integers(0, 2**64, 2048, dtype=np.uint64)
    query = np.array([1], dtype=np.uint64)
    counting = nb.njit(nogil=True)(_count)
    spent = shortest([partial(counting, width, words, query, 10_000)] * 4 * rounds)
    row["popcount compare in L1, G codes/s"] = 2048e4 / spent / 1e9
    large = np.random.default_rng(0).integers(0, 2**64, 16 * 2048, dtype=np.uint64)
    many = np.random.default_rng(1).integers(0, 2**64, (500, 1), dtype=np.uint64)
    sliced = keep_flat(64, large, NO_ROWS)
    assert isinstance(sliced, Sliced)
    best = np.zeros((500, 1), dtype=np.uint64)  # nothing is nearer than 0: only comparing is timed

    def compare() -> None:
        scan_sliced(width, 64, sliced.blocks, NO_WORDS, NO_ROWS, NO_MASK, 0, large.size, many, best, True)

    row["bit-sliced compare in L2, G codes/s"] = 500 * large.size / shortest([compare] * 4 * rounds) / 1e9
    return row


def _read(words: Any, repeats: int) -> Any:
    total = words[0]
    for _ in range(repeats):
        for i in range(words.size):
            total |= words[i]
        total ^= words[3]
    return total


def _count(width: Any, words: Any, query: Any, repeats: int) -> int:
    hits = 0
    for turn in range(repeats):
        hits += flat.count_near(width, words, 0, words.size, query, turn & 7)
    return hits


def start_costs() -> Row:
    """Seconds of a fresh process with kernels compiled before: import, first build, first search."""
    script = (
        "import time; a = time.perf_counter(); import numpy as np; b = time.perf_counter()\n"
        "from taxohash.hamming import HammingIndex; c = time.perf_counter()\n"
        "codes = np.random.default_rng(0).integers(0, 256, (30000, 8), dtype=np.uint8)\n"
        "i = HammingIndex.build(codes, 64); d = time.perf_counter()\n"
        "i.search(codes[:1]); e = time.perf_counter(); i.search(codes[1:2]); f = time.perf_counter()\n"
        "print(c - b, d - c, e - d, f - e)"
    )
    runs = [
        [
            float(v)
            for v in subprocess.run(
                [sys.executable, "-c", script], check=True, capture_output=True
            ).stdout.split()
        ]
        for _ in range(4)
    ]
    names = ("import_s", "first_build_30k_s", "first_search_s", "second_search_s")
    return dict(zip(names, (min(column) for column in zip(*runs[1:], strict=True)), strict=True))


def filters(index: HammingIndex, queries: Codes, rounds: int) -> list[Row]:
    """Batch 1 with allowed-sets, prepared ones and masks, beside the search without."""
    rng = np.random.default_rng(0)
    masks = {share: rng.random(index.rows) < share for share in SHARES}
    ways: dict[str, Search] = {"unfiltered": ours(index)}
    for share, mask in masks.items():
        ways[f"{share:.1%} prepared"] = allowing(index, index.select(mask))
        ways[f"{share:.1%} mask"] = allowing(index, mask)

    def of(search: Search) -> Callable[[int], list[float]]:
        return lambda turn: [timed(lambda: search(queries[turn : turn + 1], 10)).wall]

    times = interleaved({name: of(search) for name, search in ways.items()}, 4 * rounds - 1)
    return [{"filter": name} | milliseconds(spent) for name, spent in times.items()]


def changes(index: HammingIndex, codes: Codes) -> Row:
    """Microseconds of one change, amortised over many; compactions in the background included."""
    row = {}
    for name, act in (
        ("add", lambda i: index.add(codes[i : i + 1])),
        ("update", lambda i: index.update([i], codes[i + 1 : i + 2])),
        ("remove", lambda i: index.remove([i])),
    ):
        spent = timed(lambda act=act: [act(i) for i in range(500)]).wall  # type: ignore[misc]
        row[f"{name}_us"] = spent / 500 * 1e6
    return row


def case(kind: str, codes: Codes, queries: Codes, bits: int, rounds: int) -> Row:
    """All that is measured on one set of codes."""
    count, big = len(codes), len(codes) > 1_000_000
    name = f"{kind} {PREFIXES.get(count, count)} x {bits}"
    announce(name)
    index, _, built = timed(lambda: HammingIndex.build(codes, bits))
    peer = faiss.IndexBinaryFlat(bits)
    peer.add(codes)
    methods: dict[str, Search] = {"faiss flat": of_faiss(peer), "taxohash": ours(index)}
    if index.stats()["layout"] == "rings":
        methods["taxohash flat"] = own_flat(codes, bits)
    if kind in ("uniform", "c10"):
        methods |= {"taxohash, 2 threads": ours(index, 2), "faiss flat, 2 threads": of_faiss(peer, 2)}
    if kind in ("c10", "zipf", "real, resampled") and bits == 64:
        methods |= approximate(codes, bits, count > 100_000)
    if count <= 1_000_000 and kind == "uniform":
        methods |= {"numpy": of_numpy(codes, bits), "usearch exact": of_usearch(codes)}
        methods["numkong packed"] = of_numkong(codes)
    rows = compared(methods, queries, 10, BATCHES if not big else BATCHES[:3], rounds)
    if bits == 64 and kind in ("uniform", "c10") and count < HUGE:
        few = {n: methods[n] for n in ("faiss flat", "taxohash")}
        rows += compared(few, queries, 100, (1, 100), rounds)
    row: Row = {
        "case": name, "codes": count, "bits": bits, "build_cpu_s": built, "layout": index.stats()["layout"], "bytes_per_code": index.stats()["bytes_per_code"],
        "times": rows,
    }  # fmt: skip
    index.search(queries[:100], 10)
    row["touched_share"] = index.stats()["touched"] / (100 * count)
    if bits == 64:
        row["profile"] = profile(index, queries, rounds)
    if kind != "c02" and bits == 64 and count < HUGE:
        row["weighted"] = weighted(index, codes, queries, rounds)
    if kind in ("uniform", "c10") and bits == 64 and count < HUGE:
        row["filters"] = filters(index, queries, rounds)
        row["changes"] = changes(index, queries)
    return row


def cases(plan: Plan) -> Iterator[Row]:
    """All cases, small ones first."""
    sizes, kinds = plan.sizes, [kind for kind in plan.kinds if kind != "real"]
    wanted = [(kind, n, 64) for n in sizes for kind in kinds]
    wanted += [(kind, 1_000_000, bits) for bits in (48, 128) for kind in kinds[:1] if 1_000_000 in sizes]
    if "uniform" in kinds and 10_000_000 in sizes:
        wanted.append(("uniform", HUGE, 64))
    for kind, count, bits in wanted:
        if psutil.virtual_memory().available < BYTES_NEEDED * count:
            yield {"case": f"{kind} {PREFIXES.get(count, count)} x {bits}", "skipped": "not enough memory"}
            continue
        yield case(kind, synthetic(kind, count, bits, 2), synthetic(kind, 1100, bits, 3), bits, plan.rounds)
    if "real" in plan.kinds:
        try:
            train, test, labels, words = real(plan.data, plan.work, 64)
        except (TaxohashError, OSError) as error:
            yield {"case": "real", "skipped": str(error)}
            return
        rng = np.random.default_rng(4)
        queries = test[rng.permutation(len(test))[:1100]]
        yield {**case("real", train, queries, 64, plan.rounds), "made_by": words}
        for count in sizes:
            codes = resampled(rng, train, labels, count, 64)
            yield {**case("real, resampled", codes, queries, 64, plan.rounds), "made_by": words}


def machine() -> Row:
    features = llvm.get_host_cpu_features()
    return {
        "cpu": cpu_model(), "llvm_cpu": llvm.get_host_cpu_name(), "cores": os.cpu_count(),
        "avx512_vpopcntdq": bool(features.get("avx512vpopcntdq")), "load_before": os.getloadavg()[0],
        "python": platform.python_version(), "numpy": np.__version__, "numba": nb.__version__, "faiss": faiss.__version__,
        "numkong": metadata.version("numkong"),
    }  # fmt: skip


def main(
    as_json: Annotated[bool, typer.Option("--json", help="print the results as JSON")] = False,
    sizes: Annotated[str, typer.Option(help="numbers of codes, comma-separated")] = "100000,1000000,10000000",
    kinds: Annotated[str, typer.Option(help=f"of {', '.join(KINDS)}, comma-separated; all by default")] = "",
    data: Annotated[Path, typer.Option(help="data set whose codes are the real ones")] = FASHION_MNIST,
    work: Annotated[Path, typer.Option(help="run of the hasher that makes them")] = Path(".cache/search"),
    rounds: Annotated[int, typer.Option(min=1, help="how often everything is measured")] = 7,
    out: Annotated[Path, typer.Option(help="folder of search.json, search.md and search.png")] = RESULTS,
) -> None:
    plan = Plan(numbers(sizes), choices(kinds, KINDS), data, work, rounds)
    not_run = {} if importlib.util.find_spec("hammingbird") else {"hammingbird": "no wheel for this Python"}
    setting: Row = {"machine": machine() | revision(), "not_run": not_run}
    setting |= {"limits": limits(rounds), "start": start_costs()}
    found: list[Row] = []
    for row in cases(plan):
        found.append(row)
        setting["machine"]["load_after"] = os.getloadavg()[0]
        write(setting, found, out)  # after each case: a run that is cut short keeps what it has
    if as_json:
        print(json.dumps([setting, *found]))
