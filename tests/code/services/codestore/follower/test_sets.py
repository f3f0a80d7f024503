"""Numbered sets are a dict from tuples to numbers."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.follower.sets import Sets
from services.codestore.records import ItemLabels

Members = list[tuple[int, ...]]
MEMBERS = st.lists(st.lists(st.integers(0, 12), max_size=4).map(tuple), max_size=80)


def labels_of(members: Members) -> ItemLabels:
    flat = np.array([one for several in members for one in several], np.int32)
    return ItemLabels.of(flat, np.array([len(several) for several in members], np.int64))


def intern(sets: Sets, members: Members) -> npt.NDArray[np.int64]:
    given = labels_of(members)
    return sets.intern(given.flat, given.offsets[:-1], given.offsets[1:])


def members_of(sets: Sets, numbers: npt.NDArray[np.int64]) -> Members:
    found = sets.members(numbers)
    return [tuple(found[i].tolist()) for i in range(len(found))]


@given(st.lists(MEMBERS, max_size=5))
def test_what_is_the_same_has_the_same_number(batches: list[Members]) -> None:
    sets, known = Sets(), dict[tuple[int, ...], int]({(): 0})
    for members in batches:
        numbers = intern(sets, members)
        for several in members:
            known.setdefault(several, len(known))
        assert numbers.tolist() == [known[several] for several in members]
        assert len(sets) == len(known)
    every = np.arange(len(sets))
    assert members_of(sets, every) == list(known)
    ranks = np.array([3, -1, 5, 4, 0], np.int32)
    unsigned = np.append(every, len(sets) + 7).astype(np.uint16)  # the last is being added by another thread
    near = [any(one < 5 and 3 <= ranks[one] < 5 for one in several) for several in known]
    np.testing.assert_array_equal(sets.any_between(unsigned, len(sets), ranks, 3, 5), [*near, False])
    equal = [11 in several for several in known]
    np.testing.assert_array_equal(sets.any_equal(unsigned, len(sets), 11), [*equal, False])


@given(MEMBERS, st.data())
def test_packing_keeps_what_rows_have(members: Members, data: st.DataObject) -> None:
    sets = Sets()
    numbers = intern(sets, members)
    gone = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(members), max_size=len(members))), np.bool_
    )
    sets.hold(numbers, np.zeros(len(numbers), np.int64))
    sets.hold(np.zeros(int(gone.sum()), np.int64), numbers[gone])
    packed, moved = sets.packed(np.arange(13, dtype=np.int32) + 100)
    kept = [several for several, left in zip(members, gone, strict=True) if not left]
    assert members_of(packed, moved[numbers[~gone]]) == [
        tuple(one + 100 for one in several) for several in kept
    ]
    assert len(packed) == len({(), *kept})
