"""Two generations that are asked the same, against all distances counted one by one."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from taxohash.codes import unpack
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.release.query_sets import QuerySet
from taxohash.release.shadow import DEEP, SHOWN, Answers, Ranking, Shadow, numbering, shadow
from tests.support.generations import pictures
from tests.support.shadows import PICTURES, generation

ITEMS = [*PICTURES]
OLD, NEW = ITEMS[:50], [*reversed(ITEMS[8:])]  # 42 in both, in another order
ASKED = {
    **{item: PICTURES[item] for item in (ITEMS[0], ITEMS[20], ITEMS[59])},
    "stranger": pictures(1, 99)[0],
}


def of(asked: dict[str, bytes], name: str = "some", are_items: bool = True) -> QuerySet:
    names = [*asked]
    return QuerySet(name, names, lambda rows: [asked[names[row]] for row in rows], are_items=are_items)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    return generation(tmp_path_factory.mktemp("before"), 0, OLD)


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    return generation(tmp_path_factory.mktemp("after"), 1, NEW, bits=31)


def naive(hasher: Hasher, picture: bytes, weighted: bool) -> tuple[dict[str, float], dict[str, int]]:
    """The distance of each item, as it is ranked and by Hamming."""
    query = hasher.encode_queries([picture])
    differ = unpack(query.codes, hasher.bits) != unpack(hasher.codes, hasher.bits)
    weights = query.weights.astype(np.float64) if weighted else np.ones((1, hasher.bits))
    ranked, plain = (differ * weights).sum(axis=1), differ.sum(axis=1)
    return (
        dict(zip(hasher.ids, ranked.tolist(), strict=True)),
        dict(zip(hasher.ids, plain.tolist(), strict=True)),
    )


def names(found: Shadow, items: npt.NDArray[np.int64]) -> list[str]:
    return [found.items.ids[item] for item in items.tolist() if item >= 0]


@pytest.mark.parametrize("ranking", ["weighted", "hamming"])
def test_answers_are_those_of_all_distances(before: Hasher, after: Hasher, ranking: Ranking) -> None:
    found = shadow(before, after, [of(ASKED)], ranking)
    (asked,) = found.asked
    assert (asked.rows.tolist(), asked.left_out) == ([0, 1, 2, 3], 0)
    order = {item: number for number, item in enumerate(found.items.ids)}
    sides: tuple[tuple[Hasher, Answers], ...] = ((before, asked.before), (after, asked.after))
    for query, (name, picture) in enumerate(ASKED.items()):
        for hasher, answers in sides:
            ranked, plain = naive(hasher, picture, ranking == "weighted")
            # Rounded, as the weights of an index are; a query is no answer to itself, and ties are in one order in both.
            best = sorted(
                (item for item in ranked if item != name), key=lambda i: (round(ranked[i], 3), order[i])
            )
            assert names(found, answers.found[query]) == best[:SHOWN]
            assert answers.distances[query].tolist() == [plain[item] for item in best[:SHOWN]]
            both = [item for item in best if item in {*OLD} & {*NEW}]
            assert names(found, answers.common[query]) == both[:DEEP]
            some = np.array([order[item] for item in best[:20]])
            side = found.before if hasher is before else found.after
            far = side.distances(hasher.encode_queries([picture]), 0, some)
            largest = hasher.encode_queries([picture]).weights.max() if ranking == "weighted" else 2**24
            assert far * (largest / 2**24) == pytest.approx([ranked[item] for item in best[:20]], rel=1e-5)
            near = sorted(distance for item, distance in plain.items() if item != name)
            assert answers.nearest[query].tolist() == near[:SHOWN]


def test_one_number_for_each_item() -> None:
    found = numbering(["b", "a", "c"], ["d", "c", "a"])
    assert found.ids == ("b", "a", "c", "d")
    assert (found.before.tolist(), found.after.tolist()) == ([0, 1, 2], [3, 2, 1])
    assert found.common.tolist() == [1, 2]
    with pytest.raises(TaxohashError, match="a generation has item 'a' twice: export it again"):
        numbering(["b"], ["a", "b", "a"])


def test_the_same_codes_in_another_order_of_rows_are_the_same_answers(tmp_path: Path) -> None:
    one, other = generation(tmp_path / "a", 0, ITEMS), generation(tmp_path / "b", 0, [*reversed(ITEMS)])
    (asked,) = shadow(one, other, [of(ASKED)], "hamming").asked  # with many ties
    assert asked.before.found.tolist() == asked.after.found.tolist()
    assert asked.before.common.tolist() == asked.after.common.tolist()
    assert asked.correlation.tolist() == [1.0] * len(ASKED)


def test_few_items_and_none_in_common(tmp_path: Path) -> None:
    one, other = generation(tmp_path / "a", 0, ITEMS[:3]), generation(tmp_path / "b", 1, ITEMS[3:5])
    (asked,) = shadow(one, other, [of({ITEMS[0]: PICTURES[ITEMS[0]]})]).asked
    assert (asked.before.found >= 0).sum() == 2  # but for itself
    assert (asked.after.nearest >= 0).sum() == 2
    assert (asked.before.common == -1).all()
    assert np.isnan(asked.correlation).all()


@pytest.mark.parametrize("bad", [None, b"no picture"])
def test_a_picture_that_cannot_be_read_is_left_out(before: Hasher, after: Hasher, bad: Any) -> None:
    asked: dict[str, Any] = {"one": bad, **ASKED, "other": bad}
    found = shadow(before, after, [of({"x": bad}, "bad"), of(asked)])
    (told,) = found.asked
    assert (told.rows.tolist(), told.left_out) == ([1, 2, 3, 4], 2)
    assert found.notes == ("none of the 1 pictures of bad can be read: they are left out",)
    with pytest.raises(
        TaxohashError, match="none of the 1 pictures of bad can be read: choose other queries"
    ):
        shadow(before, after, [of({"x": bad}, "bad")])
    with pytest.raises(TaxohashError, match="nothing to ask with: give --data"):
        shadow(before, after, [])


def test_no_more_than_some_are_asked_and_few_are_in_memory(
    before: Hasher, after: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxohash.release.shadow.BLOCK", 4)
    read: list[int] = []

    def pictured(rows: npt.NDArray[np.int64]) -> list[bytes]:
        read.append(len(rows))
        return [PICTURES[ITEMS[row]] for row in rows]

    (asked,) = shadow(before, after, [QuerySet("all", ITEMS, pictured)], most=10).asked
    assert (len(asked.rows), asked.rows[0], asked.rows[-1]) == (10, 0, 59)
    assert read == [4, 4, 2]
    assert len(asked.before.found) == len(asked.correlation) == 10
