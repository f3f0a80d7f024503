"""What came of the searches: none failed, none of two generations, how long they took, and whether canaries found their classes."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.loop.catalogue import Query
from tests.loop.load import K, Sample
from tests.support.miniature import TAXONOMY
from tests.support.weighing import ROUNDING, shares

NEAREST = 10  # items among which a canary looks for its class


class Truth:
    """What each generation says of each picture, from its hasher and the codes it was published with."""

    def __init__(self, generations: Path) -> None:
        self._folder = generations
        self._known: dict[tuple[str, bytes], tuple[str, dict[str, tuple[int, float]]]] = {}
        self._hashers: dict[str, Hasher] = {}

    def is_mixed(self, sample: Sample) -> bool:
        """Whether an answer is not wholly what the one generation says that it names."""
        answer = json.loads(sample.body)
        code, distances = self._of(answer["generation"], sample.query.picture)
        results = answer["results"]
        nearest = sorted(share for _, share in distances.values())[:K]
        if answer["code"] != code or len(results) != len(nearest):
            return True
        for result, share in zip(results, nearest, strict=True):
            distance, own = distances.get(result["id"], (-1, -1.0))
            told = result["weighted_distance"]
            if result["distance"] != distance or not max(abs(told - own), abs(told - share)) < ROUNDING:
                return True
        return False

    def _of(self, generation: str, picture: bytes) -> tuple[str, dict[str, tuple[int, float]]]:
        """The code of a picture, in hex, and of each item its Hamming distance, and its weighted one as a share."""
        if (generation, picture) not in self._known:
            if generation not in self._hashers:
                self._hashers[generation] = Hasher(self._folder / generation)
            hasher = self._hashers[generation]
            bits = hasher.generation.bits
            query = hasher.encode_queries([decode(picture)])
            distances = (unpack(hasher.codes, bits) != unpack(query.codes, bits)).sum(axis=1).tolist()
            told = zip(distances, shares(query, hasher.codes)[0].tolist(), strict=True)
            self._known[generation, picture] = (
                query.codes.tobytes().hex(),
                dict(zip(hasher.ids, told, strict=True)),
            )
        return self._known[generation, picture]


def faults(samples: Sequence[Sample], generations: Path) -> dict[str, Any]:
    """How many searches there were, of which outcomes but 200, how many answers were mixed, how long they took, and the generations
    that answered."""
    truth = Truth(generations)
    good = [sample for sample in samples if sample.outcome == "200"]
    return {
        "searches": len(samples),
        "failed": dict(Counter(sample.outcome for sample in samples if sample.outcome != "200")),
        "mixed": sum(map(truth.is_mixed, good)),
        "milliseconds": {
            f"p{part}": round(1000 * float(np.percentile([sample.seconds for sample in samples], part)), 1)
            for part in (50, 99, 100)
        }
        if samples
        else {},
        "generations": list(dict.fromkeys(sample.generation for sample in good)),
    }


def each_second(samples: Sequence[Sample], begun: float) -> dict[str, Any]:
    """Of each second since `begun`, of time.monotonic: searches by kind, those that failed, and the milliseconds of the median and of the
    slowest."""
    last = max((int(sample.due - begun) for sample in samples), default=-1)
    parts: list[list[Sample]] = [[] for _ in range(last + 1)]
    for sample in samples:
        parts[int(sample.due - begun)].append(sample)
    kinds = dict.fromkeys(sample.query.thing.kind for sample in samples)
    taken = [[1000 * sample.seconds for sample in part] for part in parts]
    return {
        "kinds": {
            kind: [sum(sample.query.thing.kind == kind for sample in part) for part in parts]
            for kind in kinds
        },
        "failed": [sum(sample.outcome != "200" for sample in part) for part in parts],
        "median": [round(float(np.median(part)), 1) if part else None for part in taken],
        "slowest": [round(max(part), 1) if part else None for part in taken],
    }


def recall(url: str, canaries: Sequence[Query]) -> tuple[str, dict[str, float]]:
    """The generation that a service answers by, and of each level the share of canaries with their class among the items nearest to them.

    Raises:
        AssertionError: an answer of another status, or of another generation than the one before.
    """
    assert TAXONOMY.level_names
    found: dict[str, list[bool]] = {level: [] for level in TAXONOMY.level_names}
    generations = set()
    with httpx.Client(base_url=url, timeout=30) as client:
        for query in canaries:
            answer = client.post(
                "/v1/search", files={"image": ("p.png", query.picture)}, data={"k": str(NEAREST)}
            )
            assert answer.status_code == 200, answer.text
            generations.add(answer.json()["generation"])
            path = TAXONOMY.paths[query.thing.label]
            for depth, own in enumerate(found.values(), start=1):
                own.append(any(_goes_with(path[:depth], result) for result in answer.json()["results"]))
    assert len(generations) == 1, f"one round was answered by {generations}"
    return generations.pop(), {level: round(float(np.mean(own)), 3) for level, own in found.items()}


def _goes_with(path: Sequence[str], result: Mapping[str, Any]) -> bool:
    return tuple(result["label_path"])[: len(path)] == tuple(path)
