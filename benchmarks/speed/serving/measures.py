"""What is measured: each a function that gives rows, and says in them what was asked for."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.common.rows import Row
from benchmarks.common.servers import REDIS_8, program
from benchmarks.common.timing import timed
from benchmarks.speed.serving import hosts, indexes, made
from benchmarks.speed.serving.hosts import Host
from benchmarks.speed.serving.made import DEMO, LARGE, K
from benchmarks.speed.serving.metered import COUNTS, COUNTS_NOTHING
from benchmarks.speed.serving.onnx_alone import best_alone
from benchmarks.speed.serving.turns import Load, Turns, by_code, by_picture, by_turns, ratio, share
from services.codestore import EmbeddedServer
from services.codestore.follower.replica import Replica
from taxohash.codes import Codes
from taxohash.errors import TaxohashError

MANY = 16  # connections
OURS, BARE = "ours", "bare"
WITH, WITHOUT = "with", "without"
METERED = "benchmarks.speed.serving.metered"
_QUERIES = 500
_CHECKED = 100  # answers of a peer that are held against the true ones
_CALLS = 200  # of an index, a turn
_PICTURES = 64
_METERED = 10  # times as many slices, of half the time: the ratio is near 1
_SCRAPES = 50


@dataclass(frozen=True)
class Sizes:
    """How many codes: searched by code, beside peers, and in one process."""

    codes: int
    peers: int
    large: int


def search_by_code(load: Load, sizes: Sizes) -> list[Row]:
    """The service beside a bare route, in each host, at one connection and at many."""
    return [row for kind in ("clustered", "uniform") for row in _search_by_code(load, kind, sizes.codes)]


def _search_by_code(load: Load, kind: str, items: int) -> list[Row]:
    codes = made.codes(kind, items)
    requests = by_code(made.queries(codes, _QUERIES))
    asked = {"index": "taxohash", "kind": kind, "items": items}
    rows: list[Row] = []
    with _Place() as place:
        generation = made.generation(place.folder / "generations" / DEMO, DEMO)
        store = place.stack.enter_context(EmbeddedServer(place.folder / "store")).url
        hosts.publish(store, generation, indexes.ids_of(items), codes)
        in_hosts = {
            "uvicorn": {OURS: hosts.service(store, generation), BARE: hosts.bare(asked)},
            "BentoML": {
                OURS: hosts.service_in_bentoml(store, generation),
                BARE: hosts.bare_in_bentoml(asked),
            },
        }
        for host, pair in in_hosts.items():
            with ExitStack() as running:
                both = {name: running.enter_context(one) for name, one in pair.items()}
                for connections in (1, MANY):
                    found = by_turns(both, dict.fromkeys(both, requests), connections, load)
                    rows.append(
                        {
                            "measure": "code",
                            "host": host,
                            "kind": kind,
                            "items": items,
                            "connections": connections,
                        }
                        | _beside(found)
                    )
    return rows


def search_by_picture(load: Load, sizes: Sizes) -> list[Row]:
    """The demo's network beside a bare route; the large one beside decoding and ONNX Runtime alone."""
    rows: list[Row] = []
    for network, kind in ((DEMO, "image/png"), (LARGE, "image/jpeg")):
        items = sizes.peers
        pictures = made.pictures(network, _PICTURES)
        requests = by_picture(pictures, kind)
        with _Place() as place:
            generation = made.generation(place.folder / "generations" / network, network)
            store = place.stack.enter_context(EmbeddedServer(place.folder / "store")).url
            # Items lie around the pictures, as they do around what people search for.
            codes = made.around(made.encoded(generation, pictures), items)
            np.save(file := place.folder / "codes.npy", codes)
            hosts.publish(store, generation, indexes.ids_of(items), codes)
            asked = {"index": "taxohash", "kind": str(file), "items": items, "generation": str(generation)}
            both = {
                OURS: place.stack.enter_context(hosts.service(store, generation)),
                BARE: place.stack.enter_context(hosts.bare(asked)),
            }
            # Of the large one a slice has few.
            slices = (
                load
                if network == DEMO
                else replace(load, seconds=5 * load.seconds, rounds=-(-load.rounds // 2))
            )
            found = by_turns(both, dict.fromkeys(both, requests), MANY, slices)
            row = {
                "measure": "picture", "network": network, "items": items, "connections": MANY,
                "picture_bytes": int(np.mean([len(one) for one in pictures])), **_beside(found),
            }  # fmt: skip
            if network == LARGE:
                alone = best_alone(generation, pictures, load.seconds)
                row["alone"] = alone
                row["share_of_alone"] = round(max(found[OURS].rate) / alone["per_second"], 3)
            rows.append(row)
    return rows


def cost_of_metrics(load: Load, sizes: Sizes) -> list[Row]:
    """The same process with its metrics and without, in turns; and how long a scrape takes with so many items."""
    rows: list[Row] = []
    codes, pictures = made.codes("clustered", sizes.codes), made.pictures(DEMO, _PICTURES)
    with _Place() as place:
        generation = made.generation(place.folder / "generations" / DEMO, DEMO)
        store = place.stack.enter_context(EmbeddedServer(place.folder / "store")).url
        hosts.publish(store, generation, indexes.ids_of(sizes.codes), codes)
        host = place.stack.enter_context(hosts.service(store, generation, METERED))
        asked = {
            "code": by_code(made.queries(codes, _QUERIES)),
            "picture": by_picture(pictures, "image/png"),
        }
        for way, requests in asked.items():
            found = _metered(host, requests, load)
            rows.append(
                {
                    "measure": "metrics", "asked": way, "items": sizes.codes, "connections": MANY,
                    "with": found[WITH].told(), "without": found[WITHOUT].told(), "share": share(found[WITH], found[WITHOUT]),
                    "cpu_ratio": ratio(found[WITH], found[WITHOUT], lambda turns: turns.cpu),
                }
            )  # fmt: skip
        rows.append({"measure": "scrape", "items": sizes.codes, **_scraped(host)})
    return rows


def _metered(host: Host, requests: list[bytes], load: Load) -> dict[str, Turns]:
    """What it did with and without its metrics; who begins takes turns too."""
    found: dict[str, list[Turns]] = {WITH: [], WITHOUT: []}
    for turn in range(_METERED * load.rounds):
        for name in (WITH, WITHOUT) if turn % 2 else (WITHOUT, WITH):
            host.tell(COUNTS if name == WITH else COUNTS_NOTHING)
            one = by_turns(
                {name: host}, {name: requests}, MANY, replace(load, rounds=1, seconds=load.seconds / 2)
            )
            found[name].append(one[name])
    host.tell(COUNTS)
    return {name: Turns.joined(turns) for name, turns in found.items()}


def _scraped(host: Host) -> Row:
    """Milliseconds of a scrape, least and median, and what it brought."""
    url = "http://{}:{}/metrics".format(*host.address)
    with httpx.Client(trust_env=False, timeout=60.0) as client:
        spent = [timed(lambda: client.get(url)) for _ in range(_SCRAPES)]
    lines = spent[-1].result.raise_for_status().text.splitlines()
    times = [1e3 * one.wall for one in spent]
    return {
        "ms": [round(min(times), 2), round(float(np.median(times)), 2)],
        "series": sum(not line.startswith("#") for line in lines),
        "bytes": len(spent[-1].result.content),
    }


def peers(load: Load, sizes: Sizes) -> list[Row]:
    """Other indexes behind the same bare route, with the same codes; those that cannot be had are told."""
    # A vector set takes half a millisecond for each item, so that it has fewer.
    return [
        *_peers(load, sizes.codes, {name: _PEERS[name] for name in ("taxohash", "FAISS flat binary")}),
        *_peers(
            load, sizes.peers, {name: one for name, one in _PEERS.items() if name != "FAISS flat binary"}
        ),
    ]


def _peers(load: Load, items: int, asked_of: "Mapping[str, tuple[str, Prepare]]") -> list[Row]:
    codes = made.codes("clustered", items)
    queries = made.queries(codes, _QUERIES)
    asked: dict[str, Any] = {"kind": "clustered", "items": items}
    rows: list[Row] = []
    with _Place() as place:
        running: dict[str, Host] = {}
        for peer, (index, prepared) in asked_of.items():
            try:
                more = prepared(place, codes)
            except TaxohashError as error:
                rows.append({"measure": "peer", "peer": peer, "items": items, "missing": str(error)})
            else:
                running[peer] = place.stack.enter_context(hosts.bare({**asked, "index": index, **more}))
        requests = dict.fromkeys(running, by_code(queries))
        one, many = (by_turns(running, requests, connections, load) for connections in (1, MANY))
        for peer, host in running.items():
            right = [_is_exact(host, query, codes) for query in queries[:_CHECKED]]
            rows.append(
                {
                    "measure": "peer", "peer": peer, "items": items, "one": one[peer].told(), "many": many[peer].told(),
                    "p50_ratio": ratio(one[peer], one["taxohash"], lambda turns: turns.p50),
                    "exact": round(float(np.mean(right)), 4), "answers": len(right),
                }
            )  # fmt: skip
    return rows


def in_one_process(load: Load, sizes: Sizes) -> list[Row]:
    """What so many items take in one process, and searches by code in them beside the call of the index."""
    rows: list[Row] = []
    for kind in ("clustered", "uniform"):
        codes = made.codes(kind, sizes.large)
        queries = made.queries(codes, _QUERIES)
        with _Place() as place:
            generation = made.generation(place.folder / "generations" / DEMO, DEMO)
            asked = {"kind": kind, "items": sizes.large, "generation": str(generation)}
            host = place.stack.enter_context(hosts.held(asked))
            memory = host.memory()
            replica = indexes.replica_of(codes)
            del codes
            calls, answered = list[float](), list[Turns]()
            for turn in range(load.rounds):
                some = [queries[(turn * _CALLS + n) % _QUERIES][None] for n in range(_CALLS)]
                spent = [timed(partial(_call, replica, code)).wall for code in some]
                calls.append(1e3 * float(np.median(spent)))
                answered.append(
                    by_turns({OURS: host}, {OURS: by_code(queries)}, 1, replace(load, rounds=1))[OURS]
                )
            ours = Turns.joined(answered)
            rows.append(
                {
                    "measure": "process", "kind": kind, "items": sizes.large, **memory,
                    "bytes_an_item": round(replica.nbytes / sizes.large, 1),
                    "ours": ours.told(), "call_p50_ms": [round(min(calls), 4), round(float(np.median(calls)), 4)],
                    "p50_ratio": _ratios(ours.p50, calls),
                }
            )  # fmt: skip
    return rows


def _call(replica: Replica, code: Codes) -> object:
    """What a search by code comes down to."""
    return replica.view().search(code, K)


class _Place:
    """A folder, and what is in it is stopped and removed in the end."""

    def __enter__(self) -> "_Place":
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()


def _beside(found: Mapping[str, Turns]) -> Row:
    """Both, and how far they are apart."""
    ours, bare = found[OURS], found[BARE]
    return {
        "ours": ours.told(), "bare": bare.told(),
        "p50_ratio": ratio(ours, bare, lambda turns: turns.p50), "share": share(ours, bare),
        "cpu_ratio": ratio(ours, bare, lambda turns: turns.cpu),
        "p99_by_p50": _ratios(ours.p99, ours.p50),
    }  # fmt: skip


def _ratios(of: list[float], to: list[float]) -> list[float]:
    ratios = np.array(of) / np.array(to)
    return [round(float(ratios.min()), 3), round(float(np.median(ratios)), 3)]


def _vector_set(place: _Place, codes: Codes) -> dict[str, str]:
    server = place.stack.enter_context(EmbeddedServer(place.folder / "redis", binary=program(REDIS_8)))
    indexes.fill_vector_set(server.url, codes)
    return {"url": server.url}


def _is_exact(host: Host, query: Codes, codes: Codes) -> bool:
    """Whether the distances of its answer are those of the ten nearest codes."""
    url = "http://{}:{}/v1/search".format(*host.address)
    answer = httpx.post(url, json={"code": query.tobytes().hex()}, trust_env=False, timeout=30.0).json()
    distances = np.bitwise_count(codes ^ query).sum(axis=1)
    found = distances[[indexes.number_of(item_id) for item_id in answer["ids"]]]
    return bool(np.array_equal(np.sort(found), np.sort(np.partition(distances, K - 1)[:K])))


def _no_pgvector(_place: _Place, _codes: Codes) -> dict[str, str]:
    raise TaxohashError("Debian 12 has no package of pgvector, and PyPI none for PostgreSQL 15")


def _with_faiss(_place: _Place, _codes: Codes) -> dict[str, str]:
    if find_spec("faiss") is None:
        raise TaxohashError("FAISS is not installed: install taxohash[peers]")
    return {}


# By name the index behind the route, and what makes it ready, which raises where it cannot be had.
Prepare = Callable[[_Place, Codes], dict[str, str]]
_PEERS: dict[str, tuple[str, Prepare]] = {
    "taxohash": ("taxohash", lambda _place, _codes: {}),
    "FAISS flat binary": ("faiss", _with_faiss),
    "Redis 8 vector set": ("redis", _vector_set),
    "pgvector bit(64)": ("", _no_pgvector),
}
MEASURES: dict[str, Callable[[Load, Sizes], list[Row]]] = {
    "code": search_by_code,
    "picture": search_by_picture,
    "peers": peers,
    "process": in_one_process,
    "metrics": cost_of_metrics,
}
