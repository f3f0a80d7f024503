"""The past keeps the last readings, and says what was counted between two of them, as a naive list of them does."""

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.recent.past import Past, Spans
from services.retrieval.recent.reading import Key

A, B = Key("a"), Key("b", "x")


class Read(NamedTuple):
    time: float
    generation: str
    told: dict[Key, float]


READS = st.lists(
    st.tuples(
        st.integers(1, 30),
        st.sampled_from(["", "one", "two"]),
        st.dictionaries(st.sampled_from([A, B]), st.integers(0, 5).map(float)),
    ),
    min_size=1,
    max_size=12,
).map(lambda drawn: timed(drawn))


def timed(drawn: list[tuple[int, str, dict[Key, float]]]) -> list[Read]:
    time, found = 1000.0, []
    for wait, generation, told in drawn:
        time += wait
        found.append(Read(time, generation, told))
    return found


def past_of(reads: list[Read], most: int = 100) -> Past:
    past = Past.none()
    for read in reads:
        past = past.then(read.time, read.generation, read.told, most)
    return past


@given(READS, st.integers(1, 12))
def test_it_has_the_last_readings(reads: list[Read], most: int) -> None:
    past = past_of(reads, most)
    kept = reads[-most:]
    assert past.times.tolist() == [read.time for read in kept]
    assert past.numbers.tolist() == list(range(len(reads)))[-most:]
    assert list(past.generations) == [read.generation for read in kept]
    assert set(past.keys) == {key for read in kept for key in read.told}  # no column is kept for nothing
    for key in (A, B):
        found = [None if np.isnan(value) else value for value in past.column(key)]
        assert found == [read.told.get(key) for read in kept]
    assert past.labels("b") == (["x"] if B in kept[-1].told else [])


@given(READS, st.integers(0, 60), st.booleans())
def test_what_was_counted_in_a_span(reads: list[Read], seconds: int, of_generation: bool) -> None:
    past = past_of(reads)
    spans = Spans.of(past, np.arange(len(past)), seconds, of_generation)
    for end, read in enumerate(reads):
        start = end
        while start and read.time - reads[start - 1].time <= seconds:
            if of_generation and reads[start - 1].generation != read.generation:
                break
            start -= 1
        assert spans.seconds[end] == read.time - reads[start].time
        grown = spans.grown("a")[end]
        if A not in read.told:
            assert np.isnan(grown)
            assert spans.summed("a")[end] == 0
        else:
            assert grown == read.told[A] - reads[start].told.get(A, 0.0)
            rate = spans.rate(spans.grown("a"))[end]
            assert np.isnan(rate) if start == end else rate == grown / spans.seconds[end]


def test_a_swap_is_where_another_generation_is_served() -> None:
    served = ["one", "one", "", "two", "two", "one", ""]
    past = past_of([Read(float(number), own, {}) for number, own in enumerate(served)])
    assert past.swaps() == [3, 5]
    assert past_of([]).swaps() == []


def test_memory_is_bounded_over_many_swaps() -> None:
    past = Past.none()
    for swap in range(200):
        past = past.then(float(swap), f"g{swap}", {Key("band", f"{swap}-{n}"): 1.0 for n in range(8)}, 10)
    assert past.values.shape == (10, 80)
