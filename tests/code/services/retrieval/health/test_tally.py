"""Counts against counting again."""

import threading
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.health.reference import NONE, OTHER
from services.retrieval.health.tally import ENDS, Tally

BITS, LEVELS = 12, 2
NODES = ("warm", "cold", OTHER, NONE)
# Of an answer: distance, code, path, unlike.
Asked = tuple[int, int, list[dict[str, Any]], bool]
node = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["warm", "cold", "grey", OTHER, NONE]),
        "confidence": st.floats(0.5, 1.0) | st.sampled_from(ENDS),
    }
)
asked = st.tuples(
    st.integers(0, BITS), st.integers(0, 2**BITS - 1), st.lists(node, max_size=LEVELS + 1), st.booleans()
)


def add(tally: Tally, query: Asked) -> None:
    distance, code, path, unlike = query
    tally.add(distance, (code << 4).to_bytes(2), path, unlike)


@given(st.lists(asked, max_size=30))
def test_what_was_added_is_counted(queries: list[Asked]) -> None:
    tally = Tally(BITS, NODES, LEVELS)
    for query in queries:
        add(tally, query)
    found = tally.counted()
    assert found.queries == len(queries)
    assert found.unlike == sum(unlike for *_, unlike in queries)
    assert found.distances.tolist() == [
        sum(distance == own for own, *_ in queries) for distance in range(BITS + 1)
    ]
    codes = [f"{code:012b}" for _, code, *_ in queries]
    assert found.bits.tolist() == [sum(code[bit] == "1" for code in codes) for bit in range(BITS)]
    firsts = [path[0]["name"] if path else "" for *_, path, _ in queries]
    assert found.tops == (
        firsts.count("warm"),
        firsts.count("cold"),
        sum(first in ("grey", OTHER, NONE) for first in firsts),
        firsts.count(""),
    )
    for level in range(LEVELS):
        sure = [path[level]["confidence"] if level < len(path) else 0.0 for *_, path, _ in queries]
        within = [sum(own <= end for own in sure) for end in (*ENDS, 1.0)]
        assert found.sure[level].cumsum().tolist() == within
        assert np.isclose(found.sums[level], sum(sure))


def test_where_all_nodes_are_known_there_are_no_others() -> None:
    tally = Tally(BITS, ("warm", NONE), LEVELS)
    add(tally, (0, 0, [{"name": "warm", "confidence": 1.0}], False))
    add(tally, (0, 0, [], False))
    assert tally.counted().tops == (1, 1)


def test_threads_lose_nothing() -> None:
    tally, each = Tally(BITS, NODES, LEVELS), 2000
    query: Asked = (3, 2**BITS - 1, [], True)

    def work() -> None:
        for _ in range(each):
            add(tally, query)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = tally.counted()  # of one moment
    assert seen.queries == seen.unlike == seen.distances.sum() == seen.bits[0] == seen.tops[-1]
    for thread in threads:
        thread.join()
    found = tally.counted()
    assert (found.queries, found.unlike, found.distances[3]) == (4 * each,) * 3
    assert found.bits.tolist() == [4 * each] * BITS
