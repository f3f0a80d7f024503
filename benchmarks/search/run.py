"""Exact Hamming search beside its peers, interleaved in one process: python -m benchmarks.search [--json].

Every round runs each method once, so that whatever else the machine does hits all alike; the table gives the minimum
and the median over the rounds. Answers are compared with FAISS's flat index; recall is the share of answers no
farther than the true k-th. Writes benchmarks/results/search.{json,md,png}.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import llvmlite.binding as llvm
import numba as nb
import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import search as usearch_search

from benchmarks.search.data import real, resampled, synthetic
from benchmarks.search.profile import profile
from benchmarks.search.report import write
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
from taxohash.runtime.provenance import revision

RESULTS = Path(__file__).resolve().parents[1] / "results"
BATCHES = (1, 10, 100, 1000)
SHARES = (0.001, 0.01, 0.1, 0.5)
LONGEST = 2.5  # seconds that one call may take; a method that needs more is not given larger batches
HUGE = 100_000_000  # once
BYTES_NEEDED = 60  # a code, while an index and its peer are built
PREFIXES = {100_000: "100k", 1_000_000: "1M", 10_000_000: "10M", 100_000_000: "100M"}

Search = Callable[[Codes, int], npt.NDArray[np.int32]]
Row = dict[str, Any]
console = Console(stderr=True)


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


def approximate(codes: Codes, bits: int, big: bool) -> dict[str, tuple[Search, float]]:
    """FAISS's indexes that may miss answers, each with its build time in seconds."""
    made: dict[str, tuple[Search, float]] = {}
    faiss.omp_set_num_threads(1)
    start = time.perf_counter()
    quantiser = faiss.IndexBinaryFlat(bits)
    inverted = faiss.IndexBinaryIVF(quantiser, bits, 1024)
    inverted.cp.niter = 10
    inverted.train(codes[np.random.default_rng(0).integers(0, len(codes), min(65_536, len(codes)))])
    inverted.add(codes)
    spent = time.perf_counter() - start
    for probes in (1, 4, 16):

        def probe(queries: Codes, k: int, probes: int = probes) -> npt.NDArray[np.int32]:
            inverted.nprobe = probes
            return of_faiss(inverted)(queries, k)

        made[f"faiss IVF1024 nprobe={probes}"] = (probe, spent)
    if not big:
        start = time.perf_counter()
        tables = faiss.IndexBinaryMultiHash(bits, 4, bits // 4)
        tables.add(codes)
        made["faiss MultiHash 4"] = (of_faiss(tables), time.perf_counter() - start)
        start = time.perf_counter()
        graph = faiss.IndexBinaryHNSW(bits, 16)
        graph.hnsw.efConstruction = 100
        graph.add(codes)
        graph.hnsw.efSearch = 100
        made["faiss HNSW16 ef=100"] = (of_faiss(graph), time.perf_counter() - start)
    return made


def interleaved(
    methods: dict[str, Search], queries: Codes, k: int, batches: Sequence[int], rounds: int
) -> list[Row]:
    """Times of all methods for all batch sizes, round by round."""
    times: dict[tuple[str, int], list[float]] = {(name, batch): [] for batch in batches for name in methods}
    recall: dict[tuple[str, int], float] = {}
    for name, search in methods.items():
        search(queries[:1], k)
        for batch in batches:  # a first go, to leave out what would take too long
            start = time.perf_counter()
            found = search(queries[:batch], k)
            times[name, batch].append(time.perf_counter() - start)
            if name == "faiss flat" or ("faiss flat", batch) not in recall:
                truth = found
            else:
                truth = methods["faiss flat"](queries[:batch], k)
            recall[name, batch] = float((found <= truth[:, -1:]).mean())
            if times[name, batch][0] * 10 > LONGEST:
                break
    for turn in range(rounds):
        for (name, batch), spent in times.items():
            repeats = 5 if spent and min(spent) < 0.02 else 1
            for again in range(repeats if spent and (turn < 3 or min(spent) < LONGEST / 5) else 0):
                at = (turn * repeats + again) * batch % max(len(queries) - batch, 1)
                start = time.perf_counter()
                methods[name](queries[at : at + batch], k)
                spent.append(time.perf_counter() - start)
    return [
        {"method": name, "batch": batch, "k": k, "min_ms": 1e3 * min(t), "median_ms": 1e3 * float(np.median(t)),
         "runs": len(t), "recall": recall[name, batch]}
        for (name, batch), t in times.items() if t
    ]  # fmt: skip


def limits(rounds: int) -> Row:
    """What the machine can do: memory read, and codes compared when all data are in the cache."""
    read = nb.njit(nogil=True)(_read)
    width = width_of(64)
    row: Row = {}
    for name, size in (("L2", 32_768), ("8 MB", 1_000_000), ("80 MB", 10_000_000)):
        words = np.random.default_rng(0).integers(0, 2**64, size, dtype=np.uint64)
        repeats = max(1, 2_000_000 // size)
        row[f"read {name} GB/s"] = 8 * size * repeats / _best(partial(read, words, repeats), rounds) / 1e9
    words = np.random.default_rng(0).integers(0, 2**64, 2048, dtype=np.uint64)
    query = np.array([1], dtype=np.uint64)
    counting = nb.njit(nogil=True)(_count)
    row["popcount compare in L1, G codes/s"] = (
        2048e4 / _best(lambda: counting(width, words, query, 10_000), rounds) / 1e9
    )
    large = np.random.default_rng(0).integers(0, 2**64, 16 * 2048, dtype=np.uint64)
    many = np.random.default_rng(1).integers(0, 2**64, (500, 1), dtype=np.uint64)
    sliced = keep_flat(64, large, NO_ROWS)
    assert isinstance(sliced, Sliced)
    best = np.zeros((500, 1), dtype=np.uint64)  # nothing is nearer than 0: only comparing is timed

    def compare() -> None:
        scan_sliced(width, 64, sliced.blocks, NO_WORDS, NO_ROWS, NO_MASK, 0, large.size, many, best, True)

    row["bit-sliced compare in L2, G codes/s"] = 500 * large.size / _best(compare, rounds) / 1e9
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


def _best(work: Callable[[], object], rounds: int) -> float:
    work()
    times = []
    for _ in range(4 * rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


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
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(4 * rounds):
        for name, search in ways.items():
            query = queries[turn : turn + 1]
            start = time.perf_counter()
            search(query, 10)
            if turn:
                times[name].append(time.perf_counter() - start)
    return [
        {"filter": n, "min_ms": 1e3 * min(t), "median_ms": 1e3 * float(np.median(t))}
        for n, t in times.items()
    ]


def changes(index: HammingIndex, codes: Codes) -> Row:
    """Microseconds of one change, amortised over many; compactions in the background included."""
    row = {}
    for name, act in (
        ("add", lambda i: index.add(codes[i : i + 1])),
        ("update", lambda i: index.update([i], codes[i + 1 : i + 2])),
        ("remove", lambda i: index.remove([i])),
    ):
        start = time.perf_counter()
        for i in range(500):
            act(i)
        row[f"{name}_us"] = (time.perf_counter() - start) / 500 * 1e6
    return row


def case(kind: str, codes: Codes, queries: Codes, bits: int, options: argparse.Namespace) -> Row:
    """All that is measured on one set of codes."""
    count, big = len(codes), len(codes) > 1_000_000
    name = f"{kind} {PREFIXES.get(count, count)} x {bits}"
    console.print(name)
    start = time.process_time()
    index = HammingIndex.build(codes, bits)
    built = time.process_time() - start
    peer = faiss.IndexBinaryFlat(bits)
    peer.add(codes)
    methods: dict[str, Search] = {"faiss flat": of_faiss(peer), "taxohash": ours(index)}
    if index.stats()["layout"] == "rings":
        methods["taxohash flat"] = own_flat(codes, bits)
    if kind in ("uniform", "c10"):
        methods |= {"taxohash, 2 threads": ours(index, 2), "faiss flat, 2 threads": of_faiss(peer, 2)}
    builds = {}
    if kind in ("c10", "real, resampled") and bits == 64:
        for label, (search, spent) in approximate(codes, bits, count > 100_000).items():
            methods[label], builds[label] = search, spent
    if count <= 1_000_000 and kind == "uniform":
        methods |= {"numpy": of_numpy(codes, bits), "usearch exact": of_usearch(codes)}
    rows = interleaved(methods, queries, 10, BATCHES if not big else BATCHES[:3], options.rounds)
    if bits == 64 and kind in ("uniform", "c10") and count < HUGE:
        few = {n: methods[n] for n in ("faiss flat", "taxohash")}
        rows += interleaved(few, queries, 100, (1, 100), options.rounds)
    row: Row = {
        "case": name, "kind": kind, "codes": count, "bits": bits, "build_cpu_s": built, "peer_build_s": builds,
        "layout": index.stats()["layout"], "bytes_per_code": index.stats()["bytes_per_code"], "times": rows,
    }  # fmt: skip
    index.search(queries[:100], 10)
    row["touched_share"] = index.stats()["touched"] / (100 * count)
    if bits == 64:
        row["profile"] = profile(index, queries, options.rounds)
    if kind in ("uniform", "c10") and bits == 64 and count < HUGE:
        row["filters"] = filters(index, queries, options.rounds)
        row["changes"] = changes(index, queries)
    return row


def cases(options: argparse.Namespace) -> Iterator[Row]:
    """All cases, small ones first."""
    sizes, kinds = options.sizes, [kind for kind in options.kinds if kind != "real"]
    wanted = [(kind, n, 64) for n in sizes for kind in kinds]
    wanted += [(kind, 1_000_000, bits) for bits in (48, 128) for kind in kinds[:1] if 1_000_000 in sizes]
    if "uniform" in kinds and 10_000_000 in sizes:
        wanted.append(("uniform", HUGE, 64))
    for kind, count, bits in wanted:
        if psutil.virtual_memory().available < BYTES_NEEDED * count:
            yield {"case": f"{kind} {PREFIXES.get(count, count)} x {bits}", "skipped": "not enough memory"}
            continue
        yield case(kind, synthetic(kind, count, bits, 2), synthetic(kind, 1100, bits, 3), bits, options)
    if "real" in options.kinds:
        try:
            train, test, labels, words = real(options.data, options.work, 64)
        except (TaxohashError, OSError) as error:
            yield {"case": "real", "skipped": str(error)}
            return
        rng = np.random.default_rng(4)
        queries = test[rng.permutation(len(test))[:1100]]
        yield {**case("real", train, queries, 64, options), "made_by": words}
        for count in sizes:
            codes = resampled(rng, train, labels, count, 64)
            yield {**case("real, resampled", codes, queries, 64, options), "made_by": words}


def machine() -> Row:
    info = Path("/proc/cpuinfo")
    model = next(
        (
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    features = llvm.get_host_cpu_features()
    return {
        "cpu": model or platform.processor(), "llvm_cpu": llvm.get_host_cpu_name(), "cores": os.cpu_count(),
        "avx512_vpopcntdq": bool(features.get("avx512vpopcntdq")), "load_before": os.getloadavg()[0],
        "python": platform.python_version(), "numpy": np.__version__, "numba": nb.__version__, "faiss": faiss.__version__,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--kinds", nargs="+", default=["uniform", "c02", "c10", "duplicates", "real"])
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="dataset whose codes are the real ones"
    )
    parser.add_argument(
        "--work", type=Path, default=Path(".cache/search"), help="run of the hasher that makes them"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    not_run = {} if importlib.util.find_spec("hammingbird") else {"hammingbird": "no wheel for this Python"}
    found: list[Row] = []
    result: Row = {"machine": machine(), "not_run": not_run, "cases": found}
    result["machine"] |= revision()
    result |= {"limits": limits(options.rounds), "start": start_costs()}
    for row in cases(options):
        found.append(row)
        result["machine"]["load_after"] = os.getloadavg()[0]
        write(result, options.out)  # after each case: a run that is cut short keeps what it has
    if options.json:
        print(json.dumps(result, indent=1))
