"""Answers held against the generation that they name: one of two generations, or with another's code, is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taxohash.generation.hasher import CODES, ITEMS, Hasher
from taxohash.images import decode
from tests.cluster.answers import Truth, stale
from tests.cluster.load import Query, Sample
from tests.support.generations import make_generation, pictures
from tests.support.weighing import shares

K = 5
SHOWN = pictures(40)
IDS = [f"item {number}" for number in range(len(SHOWN))]


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory) -> list[Hasher]:
    folder = tmp_path_factory.mktemp("generations")
    found = []
    for seed in range(2):
        own = make_generation(folder / "new", seed)
        codes = Hasher(folder / "new").encode(decode(one) for one in SHOWN)
        np.save(folder / "new" / CODES, codes)
        (folder / "new" / ITEMS).write_text(json.dumps({"ids": IDS, "labels": [[0]] * len(IDS)}))
        own = own.write(folder / "new")
        found.append(Hasher((folder / "new").rename(folder / own.id)))
    return found


def answered(hasher: Hasher, query: Query) -> dict[str, Any]:
    """What the service would say."""
    if query.picture:
        queries = hasher.encode_queries([decode(query.picture)])
        code, weighted = queries.codes[0], shares(queries, hasher.codes)[0]
    else:
        code, weighted = np.frombuffer(bytes.fromhex(query.code), np.uint8), None
    distances = np.unpackbits(hasher.codes ^ code, axis=1).sum(axis=1)
    order = np.argsort(distances if weighted is None else weighted, kind="stable")[:K]
    results = [
        {"id": hasher.ids[row], "distance": int(distances[row])}
        | ({} if weighted is None else {"weighted_distance": float(weighted[row])})
        for row in order
    ]
    return {"generation": hasher.generation.id, "code": code.tobytes().hex(), "results": results}


def sample(query: Query, answer: dict[str, Any], at: float = 0.0) -> Sample:
    return Sample(query, "200", at, 0.5, json.dumps(answer).encode())


def queries(hasher: Hasher) -> list[Query]:
    return [Query(picture=SHOWN[3]), Query(code=hasher.codes[3].tobytes().hex())]


def test_what_a_generation_says_is_right(hashers: list[Hasher]) -> None:
    truth = Truth(hashers[0].folder.parent)
    samples = [sample(query, answered(one, query)) for one in hashers for query in queries(hashers[0])]
    samples.append(Sample(Query(picture=SHOWN[0]), "503", 0.0, 0.1, b""))
    counted = truth.counted(samples)
    assert (counted.sent, counted.failed, counted.wrong) == (5, {"503": 1}, 0)
    assert list(counted.generations) == [one.generation.id for one in hashers]


@pytest.mark.parametrize("kind", [0, 1])
def test_results_of_another_generation_are_wrong(hashers: list[Hasher], kind: int) -> None:
    query = queries(hashers[0])[kind]
    first, second = (answered(one, query) for one in hashers)
    mixed = first | {"results": second["results"]}
    assert Truth(hashers[0].folder.parent).counted([sample(query, mixed)]).wrong == 1


@pytest.mark.parametrize("kind", [0, 1])
def test_an_item_that_is_left_out_is_wrong(hashers: list[Hasher], kind: int) -> None:
    query = queries(hashers[0])[kind]
    short = answered(hashers[0], query)
    short["results"] = short["results"][:-1]
    assert Truth(hashers[0].folder.parent).counted([sample(query, short)]).wrong == 1


def test_stale_is_until_the_end_of_the_last_old_answer(hashers: list[Hasher]) -> None:
    query = queries(hashers[0])[0]
    old, new = (answered(one, query) for one in hashers)
    samples = [sample(query, old, at=9.0), sample(query, new, at=9.5), sample(query, old, at=10.0)]
    assert stale(samples, old["generation"], since=9.2) == pytest.approx(1.3)
    assert stale(samples, old["generation"], since=20.0) == 0.0
