"""Another generation is published, and rolled back, again and again under searches."""

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from services.codestore import CodeStore, GenerationRef, Item
from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.attack.load import PICTURES as SEARCHED
from tests.attack.load import Sample, figures, searched, searching
from tests.attack.scenario import Figures, Line, Plan, Scenario, Start, ms, told
from tests.attack.target import Target
from tests.attack.watch import MIB, watching
from tests.attack.wire import Client, get, run
from tests.support.generations import make_generation
from tests.support.serving import COLLECTION, IDS, LABELS, PICTURES
from tests.support.weighing import ROUNDING, shares

_RATE = 200.0  # searches a second, of all services together
_DURING_SECONDS = 3.0  # after a publish
_BETWEEN_SECONDS = 6.0
_LOAD_SECONDS = 20.0  # in which another generation must be served


def attack(start: Start, plan: Plan) -> Figures:
    """`plan.count` times another generation, with one service and with three."""
    return {f"{services}": flips(start, plan, services) for services in (1, 3)}


class Truth:
    """What each generation says of each picture that is searched for."""

    def __init__(self, hashers: list[Hasher]) -> None:
        self._hashers = {hasher.generation.id: hasher for hasher in hashers}
        self._known: dict[str, tuple[list[str], Any, Any]] = {}
        for name, hasher in self._hashers.items():
            bits = hasher.generation.bits
            queries = hasher.encode_queries(decode(picture) for picture in searched())
            items = hasher.encode(decode(picture) for picture in PICTURES)
            distances = (unpack(queries.codes, bits)[:, None, :] != unpack(items, bits)[None]).sum(axis=2)
            codes = [code.tobytes().hex() for code in queries.codes]
            self._known[name] = codes, distances, shares(queries, items)

    def answer(self, generation_id: str, number: int, k: int) -> dict[str, Any]:
        """What matters of a right answer to a search."""
        codes, distances, weighted = self._known[generation_id]
        own = weighted[number % SEARCHED]
        results = [
            {
                "id": IDS[row],
                "distance": int(distances[number % SEARCHED, row]),
                "weighted_distance": round(float(own[row]), 6),
            }
            for row in np.argsort(own, kind="stable")[:k]
        ]
        return {"generation": generation_id, "code": codes[number % SEARCHED], "results": results}

    def mixed(self, sample: Sample) -> bool:
        """Whether an answer is not wholly what one generation says."""
        answer = json.loads(sample.told)
        number = sample.number % SEARCHED
        codes, distances, weighted = self._known[answer["generation"]]
        rows = [IDS.index(result["id"]) for result in answer["results"]]
        told = np.array([result["weighted_distance"] for result in answer["results"]])
        nearest = np.sort(weighted[number])[: len(rows)]
        return bool(
            answer["code"] != codes[number]
            or [result["distance"] for result in answer["results"]] != distances[number, rows].tolist()
            or np.abs(told - nearest).max(initial=0.0) > ROUNDING
            or np.abs(told - weighted[number, rows]).max(initial=0.0) > ROUNDING
        )


def flips(start: Start, plan: Plan, services: int) -> Figures:
    with start({}, None, services) as target, ExitStack() as stack:
        assert target.store is not None, "the store is not ours to publish in"
        assert target.generation is not None
        first, second = Hasher(target.generation), _another(target, target.generation)
        truth = Truth([first, second])
        targets = (target, *target.others)
        store = stack.enter_context(CodeStore.connect(target.store.url))
        with ExitStack() as loads:
            samples = [
                loads.enter_context(searching(one.url, _RATE * plan.pace / services, "whole"))
                for one in targets
            ]
            begun = time.monotonic()
            with watching(target) as before:
                time.sleep(_BETWEEN_SECONDS * plan.pace)
            published, swapped = [], []
            with watching(target) as during:
                for flip in range(plan.count):
                    published.append(time.monotonic())
                    if flip % 2:
                        wanted = store.rollback(COLLECTION)
                    else:
                        store.publish(COLLECTION, wanted := second.generation.id)
                    swapped.append(_swapped(targets, wanted))
                    time.sleep(max(0.0, published[-1] + _BETWEEN_SECONDS * plan.pace - time.monotonic()))
        found = [sample for one in samples for sample in one.found if sample.due >= begun]
    return {
        "flips": plan.count,
        "swapped": sum(seconds is not None for seconds in swapped),
        "slowest_swap_seconds": max((seconds for seconds in swapped if seconds is not None), default=None),
        "outcomes": dict(Counter(sample.outcome for sample in found)),
        "mixed": sum(truth.mixed(sample) for sample in found if sample.outcome == "200"),
        "generations": len(
            {json.loads(sample.told)["generation"] for sample in found if sample.outcome == "200"}
        ),
        "between": figures([sample for sample in found if not _is_during(sample, published)]),
        "during": figures([sample for sample in found if _is_during(sample, published)]),
        "rss_mib": {
            "before": max((look.rss for look in before.looks), default=0) // MIB,
            "peak": max((look.rss for look in during.looks), default=0) // MIB,
        },
    }


def _is_during(sample: Sample, published: list[float]) -> bool:
    return any(moment <= sample.due < moment + _DURING_SECONDS for moment in published)


def _another(target: Target, folder: Path) -> Hasher:
    """A second generation of the same items, beside the first; built and sealed, not published."""
    other = folder.with_name("other")
    made = make_generation(other, seed=1)
    for one in (folder, other):  # where TAXOHASH_GENERATIONS is looked into: each under its id
        link = folder.parent / Hasher(one).generation.id
        if not link.exists():
            link.symlink_to(one, target_is_directory=True)
    hasher = Hasher(other)
    assert target.store
    with CodeStore.connect(target.store.url) as store:
        known = store.items(COLLECTION, IDS)
        ref = GenerationRef(made.id, made.bits, made.taxonomy_sha256)
        store.begin(COLLECTION, ref)
        items = [
            Item(name, (label,), thumbnail=item.thumbnail if item else "")
            for name, label, item in zip(IDS, LABELS, known, strict=True)
        ]
        store.fill(COLLECTION, made.id, items, hasher.encode(decode(picture) for picture in PICTURES))
        store.seal(COLLECTION, made.id, len(items))
    return hasher


def _swapped(targets: tuple[Target, ...], wanted: str) -> float | None:
    """Seconds until all services say that they serve a generation; None if they do not in time."""
    begun = time.monotonic()

    async def serves(target: Target) -> bool:
        client = Client(target.address, 5.0, keep=False)
        answer = await client.ask(get("/v1/generation"))
        return answer.status == 200 and json.loads(answer.body)["id"] == wanted

    def asked(target: Target) -> Callable[[], Any]:
        return lambda: serves(target)

    while time.monotonic() - begun < _LOAD_SECONDS:
        if all(run(asked(target)) for target in targets):
            return round(time.monotonic() - begun, 2)
        time.sleep(0.05)
    return None


def _lines(found: Figures) -> list[Line]:
    lines = []
    for services, one in found.items():
        what = f"{one['flips']} times another generation, {services} process" + (
            "es" if services != "1" else ""
        )
        between, during = one["between"]["p99_ms"], one["during"]["p99_ms"]
        ratio = f" ({during / between:.1f} x between)" if between and during else ""
        slowest = one["slowest_swap_seconds"]
        lines += [
            Line(
                f"{what}: served",
                "each",
                f"{one['swapped']} of {one['flips']}"
                + ("" if slowest is None else f", slowest after {slowest:g} s"),
            ),
            Line(f"{what}: searches", "0 failed, 0 mixed", f"{told(one['outcomes'])}; {one['mixed']} mixed"),
            Line(f"{what}: p99 during a swap", "under 4 x", ms(during) + ratio),
            Line(
                f"{what}: memory of a service, before and at its peak",
                "stated",
                f"{one['rss_mib']['before']} and {one['rss_mib']['peak']} MiB",
            ),
        ]
    return lines


SCENARIO = Scenario(6, attack, _lines)
