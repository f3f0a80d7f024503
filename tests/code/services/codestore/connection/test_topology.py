from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from services.codestore.connection.address import Address
from services.codestore.connection.errors import ErrorReply, LinkError
from services.codestore.connection.topology import Topology, slot_of

SEED = Address("seed", 7000, password=b"p")


@given(st.text(alphabet="{}ab:ü"))
def test_the_slot_of_a_key_is_that_of_the_server(key: str) -> None:
    assert slot_of(key) == key_slot(key.encode())


def test_the_map_says_who_holds_a_slot_and_moved_corrects_it() -> None:
    topology = Topology(SEED)
    assert topology.holder(5) == SEED
    topology.learn([[0, 9, [b"a", 1, b"id", []], [b"replica", 9]], [10, 16_383, [b"", 2], []]], SEED)
    assert topology.holder(9) == SEED.at("a", 1)
    assert topology.holder(10) == SEED.at("seed", 2)
    assert topology.primaries == [SEED.at("a", 1), SEED.at("seed", 2)]
    assert topology.redirect(ErrorReply("ASK 9 b:3"), SEED) == SEED.at("b", 3)
    assert topology.holder(9) == SEED.at("a", 1)
    assert topology.redirect(ErrorReply("MOVED 9 ::1:3"), SEED) == SEED.at("::1", 3)
    assert topology.holder(9) == SEED.at("::1", 3)
    assert topology.redirect(ErrorReply("MOVED 8 ?:4"), SEED.at("c", 1)) == SEED.at("c", 4)
    assert set(topology.shuffled()) == {*topology.primaries, SEED}
    assert topology.shuffled()[-1] == SEED


@pytest.mark.parametrize(
    "ranges", [None, b"x", [[0]], [[0, 1, b"ab"]], [[b"0", 1, [b"a", 1]]], [[0, 1, [1, 1]]]]
)
def test_what_is_no_map_is_refused(ranges: Any) -> None:
    topology = Topology(SEED)
    with pytest.raises(LinkError, match="does not tell its slots"):
        topology.learn(ranges, SEED)
    assert topology.primaries == [SEED]


@pytest.mark.parametrize("text", ["MOVED", "MOVED x a:1", "MOVED 99999 a:1", "ASK 1 a", "ASK 1 a:b"])
def test_a_redirection_to_nowhere_is_refused(text: str) -> None:
    with pytest.raises(LinkError, match="nowhere"):
        Topology(SEED).redirect(ErrorReply(text), SEED)
