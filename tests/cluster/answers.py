"""What came of the searches: how many failed and how, which answers were not wholly those of the one generation that they name, and for how
long an old one went on to answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher
from tests.cluster.load import Sample
from tests.loop import answers as of_pictures
from tests.loop.catalogue import Query as Asked
from tests.loop.catalogue import Thing
from tests.loop.load import K
from tests.loop.load import Sample as Searched


@dataclass(frozen=True)
class Searches:
    """What is counted of a load.

    Attributes:
        sent: all.
        failed: by outcome, those without an answer of status 200.
        again: how many of those were asked to be sent again after a while, as clients do that can be told so.
        wrong: answers that are not wholly what the generation that they name says.
        generations: that answered, in the order of their first answer.
        slowest: seconds.
    """

    sent: int
    failed: Mapping[str, int]
    again: int
    wrong: int
    generations: Sequence[str]
    slowest: float


class Truth:
    """What each generation says of each query, from its hasher and the codes that it was published with.

    Args:
        generations: folder that has each in a folder of its name.
    """

    def __init__(self, generations: Path) -> None:
        self._folder = generations
        self._of_pictures = of_pictures.Truth(generations)
        self._hashers: dict[str, Hasher] = {}

    def counted(self, samples: Sequence[Sample]) -> Searches:
        """What came of a load."""
        good = [sample for sample in samples if sample.outcome == "200"]
        return Searches(
            sent=len(samples),
            failed=dict(Counter(sample.outcome for sample in samples if sample.outcome != "200")),
            again=sum(sample.again for sample in samples if sample.outcome != "200"),
            wrong=sum(not self.is_right(sample) for sample in good),
            generations=list(dict.fromkeys(sample.answer["generation"] for sample in good)),
            slowest=max((sample.seconds for sample in samples), default=0.0),
        )

    def is_right(self, sample: Sample) -> bool:
        """Whether an answer of status 200 is wholly what the generation says that it names."""
        if sample.query.picture:
            asked = Asked(Thing(0), sample.query.picture)
            return not self._of_pictures.is_mixed(Searched(asked, sample.outcome, sample.body))
        answer = sample.answer
        hasher = self._hasher(answer["generation"])
        bits = hasher.generation.bits
        code = np.frombuffer(bytes.fromhex(sample.query.code), np.uint8)
        distances = (unpack(hasher.codes, bits) != unpack(code[None], bits)).sum(axis=1)
        own = dict(zip(hasher.ids, distances.tolist(), strict=True))
        told = [result["distance"] for result in answer["results"]]
        return (
            answer["code"] == sample.query.code
            and told == sorted(distances.tolist())[:K]
            and all(own.get(result["id"]) == result["distance"] for result in answer["results"])
        )

    def _hasher(self, generation: str) -> Hasher:
        if generation not in self._hashers:
            self._hashers[generation] = Hasher(self._folder / generation)
        return self._hashers[generation]


def stale(samples: Sequence[Sample], old: str, since: float) -> float:
    """Seconds from a moment, a Unix time, until the last answer of a generation; 0 where there is none after it."""
    ends = [
        sample.at + sample.seconds
        for sample in samples
        if sample.outcome == "200" and sample.answer["generation"] == old
    ]
    return max(0.0, max(ends, default=since) - since)
