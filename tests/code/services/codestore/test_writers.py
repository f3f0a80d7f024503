"""Names of writes, and the lanes that writes of this process go in."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.writers import Lanes, Turn, WriteId
from taxohash.errors import TaxohashError


def test_the_turns_of_a_lane_rise_over_all_its_writes() -> None:
    lanes, seen = Lanes(), []
    for rounds in (1, 3, 0, 2):
        with lanes.lent() as turns:
            seen += list(islice(turns, rounds))
    assert len({turn.writer for turn in seen}) == 1
    numbers = [turn.number for turn in seen]
    assert numbers == sorted(set(numbers))


def test_a_lane_that_failed_is_left() -> None:
    lanes = Lanes()
    lost = []

    def fail() -> None:
        with lanes.lent() as turns:
            lost.append(next(turns).writer)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fail()
    with lanes.lent() as turns:
        assert next(turns).writer not in lost


def test_no_two_threads_have_the_same_lane_at_once() -> None:
    lanes, lock = Lanes(), threading.Lock()
    held: set[str] = set()
    last: dict[str, int] = {}

    def write(number: int) -> None:
        with lanes.lent() as turns:
            own = list(islice(turns, number % 3 + 1))
            (writer,) = {turn.writer for turn in own}
            with lock:
                assert writer not in held
                held.add(writer)
            assert own[0].number > last.get(writer, 0)
            last[writer] = own[-1].number
            with lock:
                held.remove(writer)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(2_000)))
    assert len(last) <= 8


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=100),
    st.integers(0, 2**53 - 1),
)
def test_a_named_write_has_the_same_turns_each_time(writer: str, number: int) -> None:
    def turns() -> list[Turn]:
        with Lanes().lent(WriteId(writer, number)) as found:
            return list(islice(found, 3))

    assert turns() == turns()
    assert len({turn.writer for turn in turns()}) == 3
    assert {turn.number for turn in turns()} == {number}


def test_no_two_names_share_a_writer() -> None:
    def writers(name: str) -> set[str]:
        with Lanes().lent(WriteId(name, 1)) as turns:
            return {turn.writer for turn in islice(turns, 20)}

    names = ["a", "1 a", "a 1", "0", "0 0", "1"]
    assert len(set().union(*map(writers, names))) == 20 * len(names)


arguments = st.lists(st.binary(max_size=8) | st.integers(0, 9) | st.text("ab", max_size=3), max_size=4)


@given(arguments, arguments)
def test_a_named_number_tells_batches_apart(
    one: list[bytes | int | str], other: list[bytes | int | str]
) -> None:
    turn = Turn("0 w", 7, named=True)
    joined = [
        b"".join(part if isinstance(part, bytes) else str(part).encode() for part in own)
        for own in (one, other)
    ]
    same = turn.number_of("fill", one) == turn.number_of("fill", other)
    assert same == (joined[0] == joined[1])
    assert turn.number_of("fill", one) != turn.number_of("delete", one)
    assert turn.number_of("fill", one).startswith("7:")
    assert Turn("w", 7).number_of("fill", one) == "7"
    told = [Turn("0 w", 7, True, batch).number_of("fill", one) for batch in (b"x", b"x", b"y")]
    assert told[0] == told[1] == Turn("0 w", 7, True, b"x").number_of("fill", other) != told[2]


def test_what_is_no_write_is_refused() -> None:
    with pytest.raises(TaxohashError, match="is a tuple: give a WriteId"), Lanes().lent(("w", 1)):  # type: ignore[arg-type]
        pass
