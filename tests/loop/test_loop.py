"""The loop closes in its short form; and what looks for failed and mixed answers finds them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taxohash.codes import unpack
from taxohash.datasets import Dataset
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.loop import catalogue, quick
from tests.loop.load import K, Sample, faults
from tests.loop.runners import QUICK
from tests.loop.story import tell
from tests.loop.timeline import Timeline
from tests.support.monitoring import needs_prometheus
from tests.support.weighing import shares


@needs_prometheus
@pytest.mark.system
def test_the_loop_closes(tmp_path: Path) -> None:
    found = tell(tmp_path, QUICK, Timeline())
    assert len(found["generations"]) == 2


PICTURE = catalogue.asked(catalogue.LIGHT, 1, 1)[0]  # of which one generation knows nothing


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory) -> list[Hasher]:
    """Two generations, below their ids."""
    folder = tmp_path_factory.mktemp("generations")
    made = []
    for number, stock in enumerate((catalogue.FIRST, catalogue.SECOND)):
        dataset = Dataset.open(catalogue.write(folder / f"data{number}", stock))
        generation, _ = quick.generation_of(dataset, folder / "draft")
        made.append(Hasher((folder / "draft").rename(folder / generation.id)))
    return made


def answered(hasher: Hasher) -> Sample:
    """What a generation answers, worked out by comparing every bit."""
    query = hasher.encode_queries([decode(PICTURE)])
    bits = hasher.generation.bits
    distances = (unpack(hasher.codes, bits) != unpack(query.codes, bits)).sum(axis=1)
    (own,) = shares(query, hasher.codes)
    nearest = np.argsort(own, kind="stable")[:K]
    body = {
        "generation": hasher.generation.id,
        "code": query.codes.tobytes().hex(),
        "results": [
            {"id": hasher.ids[row], "distance": int(distances[row]), "weighted_distance": round(own[row], 6)}
            for row in nearest
        ],
    }
    return Sample(PICTURE, "200", json.dumps(body).encode())


def test_whole_answers_are_none(hashers: list[Hasher]) -> None:
    found = faults([answered(hasher) for hasher in hashers], hashers[0].folder.parent)
    assert (found["searches"], found["failed"], found["mixed"]) == (2, {}, 0)
    assert found["generations"] == [hasher.generation.id for hasher in hashers]


@pytest.mark.parametrize(
    "part", ["generation", "code", "results", "distance", "weighted_distance", "missing"]
)
def test_mixed_answers_are_found(hashers: list[Hasher], part: str) -> None:
    sample, other = (json.loads(answered(hasher).body) for hasher in hashers)
    if part in ("distance", "weighted_distance"):
        sample["results"][0][part] += 1
    elif part == "missing":  # not one of the nearest
        del sample["results"][0]
    else:
        sample[part] = other[part]
    mixed = replace(answered(hashers[0]), body=json.dumps(sample).encode())
    assert faults([answered(hashers[0]), mixed], hashers[0].folder.parent)["mixed"] == 1


def test_failed_searches_are_counted_by_what_happened(tmp_path: Path) -> None:
    samples = [Sample(PICTURE, outcome, b"") for outcome in ("503", "late", "503")]
    assert faults(samples, tmp_path)["failed"] == {"503": 2, "late": 1}


def test_what_does_not_happen_ends_the_story() -> None:
    with pytest.raises(AssertionError, match="did not happen in 0 s: rain"):
        Timeline().until(lambda: False, "rain", 0.0)
