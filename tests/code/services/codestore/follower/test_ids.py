"""The table of ids is a dict from ids to rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codestore.follower import ids as module
from services.codestore.follower.arrays import Arrays, Cells
from services.codestore.follower.ids import Ids, joined, split, starts_of

ROWS = 40
NAMES = ["", *(f"{letter}{'ö' * length}" for letter in "abc" for length in range(12)), "x" * 1024]


def arrays_of(names: dict[int, str]) -> Arrays:
    data = joined([names.get(row, "") for row in range(ROWS)])
    starts = starts_of(data, ROWS) + 1
    offsets = np.where([bool(names.get(row)) for row in range(ROWS)], starts, 0).astype(np.uint32)
    none = np.zeros(ROWS, np.uint8)
    return Arrays(Cells(offsets, none, none, none), np.append(np.uint8(255), data))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans())
def test_any_order_of_coming_and_going(data: st.DataObject, crowded: bool) -> None:
    """Rows get other ids; `crowded` leaves hardly a free slot, so that runs go round the end."""
    with pytest.MonkeyPatch.context() as patch:
        if crowded:
            patch.setattr(module, "_FEWEST", 2)
            patch.setattr(module, "_FULL", 0.97)
            patch.setattr(module, "_FILL", 0.96)
        table, names = Ids(), dict[int, str]()
        for _ in range(data.draw(st.integers(1, 8))):
            rows = np.array(data.draw(st.lists(st.integers(0, ROWS - 1), unique=True)), np.int64)
            before = arrays_of(names)
            table.remove(rows, before.cells.offsets[rows], before)
            for row in rows.tolist():
                names.pop(row, None)
            free = [name for name in NAMES[1:] if name not in names.values()]
            for row in rows[: len(free)].tolist():
                if data.draw(st.booleans()):
                    names[row] = free.pop(data.draw(st.integers(0, len(free) - 1)))
            after = arrays_of(names)
            table.reserve(len(rows), after)
            table.insert(rows, after.cells.offsets[rows], after)
            assert table._count == len(names)
            known = {name: row for row, name in names.items()}
            np.testing.assert_array_equal(table.find(NAMES, after), [known.get(name, -1) for name in NAMES])
            assert split(after.arena, after.cells.offsets) == [names.get(row, "") for row in range(ROWS)]


def test_text_that_no_id_can_be_is_not_found() -> None:
    arrays = arrays_of({3: "known"})
    table = Ids()
    table.reserve(1, arrays)
    table.insert(np.array([3]), arrays.cells.offsets[[3]], arrays)
    assert table.find(["known", "\udcff", "know", "known "], arrays).tolist() == [3, -1, -1, -1]


def test_ids_are_spread_by_a_secret() -> None:
    """Nobody can choose ids that fall together: other tables put them elsewhere."""
    arrays = arrays_of(dict(enumerate(NAMES[1:30])))
    slots = []
    for _ in range(2):
        table = Ids()
        table.insert(np.arange(ROWS), arrays.cells.offsets, arrays)
        slots.append(table._slots.tobytes())
    assert slots[0] != slots[1]
