"""Rounds of canaries against the recall that a generation is measured by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore import ItemLabels
from services.retrieval.health.rounds import Distances, Rounds
from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.generation.canaries import Canaries
from taxohash.release.recall import CanaryCodes, Catalogue, recall
from tests.support.generations import TAXONOMY

BITS = 12
LABELS = range(len(TAXONOMY))
labels = st.sets(st.sampled_from(LABELS), max_size=2).map(sorted)
code = st.sampled_from([0, 1, 3, 0xFFF, 0x0F0])


def packed(number: int) -> Codes:
    return np.array([[number >> 4, number << 4 & 0xFF]], np.uint8)


class Held:
    """Items, of which the nearest and all as near as the last of them are told."""

    def __init__(self, items: list[tuple[int, list[int]]]) -> None:
        self.codes, self.labels = [number for number, _ in items], [own for _, own in items]

    def near(self, code: Codes, count: int) -> tuple[Distances, ItemLabels]:
        asked = int(code[0, 0]) << 4 | int(code[0, 1]) >> 4
        found = sorted(((number ^ asked).bit_count(), row) for row, number in enumerate(self.codes))
        found = [one for one in found if one[0] <= found[min(count, len(found)) - 1][0]]
        own = [self.labels[row] for _, row in found]
        flat = np.array([label for each in own for label in each], np.int32)
        return np.array([distance for distance, _ in found], np.int32), ItemLabels.of(
            flat, np.array([len(each) for each in own], np.int64)
        )


def rounds_of(asked: list[tuple[int, list[int]]]) -> Rounds:
    canaries = Canaries(
        tuple(packed(number).tobytes() for number, _ in asked), tuple(tuple(own) for _, own in asked)
    )
    return Rounds(lambda: canaries, lambda picture: np.frombuffer(picture, np.uint8)[None], TAXONOMY, BITS)


@given(
    st.lists(st.tuples(code, labels), max_size=40), st.lists(st.tuples(code, labels), min_size=1, max_size=5)
)
def test_a_round_is_the_recall_of_its_canaries(
    items: list[tuple[int, list[int]]], asked: list[tuple[int, list[int]]]
) -> None:
    rounds, held = rounds_of(asked), Held(items)
    while not rounds.is_prepared:
        rounds.prepare()
    assert rounds.count == len(asked)
    for _ in range(2):  # the second begins anew
        steps = [rounds.ask(held.near) for _ in asked]
        assert steps == [False] * (len(asked) - 1) + [True]
        catalogue = Catalogue(
            [*map(str, held.codes)],
            held.labels,
            TAXONOMY.paths,
            np.concatenate([packed(0)[:0], *map(packed, held.codes)]),
        )
        canaries = CanaryCodes(
            np.concatenate([packed(number) for number, _ in asked]),
            [frozenset(TAXONOMY.paths[label] for label in own) for _, own in asked],
        )
        wanted = recall(catalogue, canaries, BITS, TAXONOMY.depth).mean(axis=0)
        assert rounds.recall == pytest.approx(wanted.tolist())


def test_pictures_are_encoded_once_and_one_at_a_time() -> None:
    seen: list[bytes] = []

    def encode(picture: bytes) -> Codes:
        seen.append(picture)
        return packed(0)

    rounds = Rounds(lambda: Canaries((b"a", b"b"), ((0,), (1,))), encode, TAXONOMY, BITS)
    assert (rounds.count, rounds.is_prepared) == (None, False)
    rounds.prepare()
    assert (rounds.count, seen) == (2, [])
    rounds.prepare()
    assert (seen, rounds.is_prepared) == ([b"a"], False)
    rounds.prepare()
    rounds.prepare()
    assert (seen, rounds.is_prepared) == ([b"a", b"b"], True)
    held = Held([(0, [1])])
    assert (rounds.ask(held.near), rounds.is_under_way) == (False, True)
    assert (rounds.ask(held.near), rounds.is_under_way) == (True, False)
    assert rounds.recall == (1.0, 1.0, 0.5)  # scarlet and crimson are red
    assert rounds.asked > 0


def test_without_canaries_nothing_is_prepared() -> None:
    rounds = Rounds(lambda: None, packed, TAXONOMY, BITS)  # type: ignore[arg-type]  # never called
    rounds.prepare()
    assert (rounds.count, rounds.is_prepared, rounds.recall) == (0, True, ())


def test_after_giving_up_there_are_none() -> None:
    def encode(picture: bytes) -> Codes:
        raise TaxohashError("image 0 cannot be read")

    rounds = Rounds(lambda: Canaries((b"a",), ((0,),)), encode, TAXONOMY, BITS)
    rounds.prepare()
    with pytest.raises(TaxohashError):
        rounds.prepare()
    assert not rounds.is_prepared
    rounds.give_up()
    assert (rounds.count, rounds.is_prepared) == (0, True)
