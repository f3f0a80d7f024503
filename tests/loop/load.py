"""Searches without pause, whose answers are kept and looked through afterwards: none failed, none of two generations."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.attack.wire import Client, address_of, run, search
from tests.support.weighing import ROUNDING, shares

DEADLINE = 30.0  # seconds that a search waits for its answer
K = 5


@dataclass(frozen=True)
class Sample:
    """One search: the picture that was searched for, and what came back."""

    picture: bytes
    outcome: str
    body: bytes


class Load:
    """Searches at a fixed rate, whatever becomes of those before; a context manager."""

    def __init__(self, url: str, pictures: Sequence[bytes], rate: float) -> None:
        """
        Args:
            pictures: searched for in turn, until `show` gives others.
            rate: searches a second.
        """
        self.samples: list[Sample] = []
        self._url, self._rate = url, rate
        self._pictures = pictures
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: run(self._search), name="load")

    def show(self, pictures: Sequence[bytes]) -> None:
        """Search for these from now on."""
        self._pictures = pictures

    def serving(self) -> str | None:
        """The generation of the newest answer."""
        newest = next((sample for sample in reversed(self.samples) if sample.outcome == "200"), None)
        return json.loads(newest.body)["generation"] if newest else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    async def _search(self) -> None:
        client = Client(address_of(self._url), DEADLINE)

        async def one(picture: bytes, due: float) -> None:
            answer = await client.ask(search(picture, K), due)
            self.samples.append(Sample(picture, answer.outcome, answer.body))

        begun, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while not self._ended.is_set():
                due = begun + number / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                pictures = self._pictures
                tasks.create_task(one(pictures[number % len(pictures)], due))
                number += 1
        client.close()


class Truth:
    """What each generation says of each picture, from its hasher and the codes it was published with."""

    def __init__(self, generations: Path) -> None:
        self._folder = generations
        self._known: dict[tuple[str, bytes], tuple[str, dict[str, tuple[int, float]]]] = {}
        self._hashers: dict[str, Hasher] = {}

    def is_mixed(self, sample: Sample) -> bool:
        """Whether an answer is not wholly what the one generation says that it names."""
        answer = json.loads(sample.body)
        code, distances = self._of(answer["generation"], sample.picture)
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
    """How many searches there were, of which outcomes but 200, how many answers were mixed, and the generations that answered."""
    truth = Truth(generations)
    good = [sample for sample in samples if sample.outcome == "200"]
    return {
        "searches": len(samples),
        "failed": dict(Counter(sample.outcome for sample in samples if sample.outcome != "200")),
        "mixed": sum(map(truth.is_mixed, good)),
        "generations": list(dict.fromkeys(json.loads(sample.body)["generation"] for sample in good)),
    }
