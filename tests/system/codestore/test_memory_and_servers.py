"""The memory back end against servers: the same commands and the same calls get the same replies."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.codestore import APPLIED, CodeStore, Durability, Item, WriteId, functions
from services.codestore.collection import Server
from services.codestore.connection import Call, Connection
from services.codestore.keys import collection_keys, segment_keys
from services.codestore.memory import MemoryConnection
from taxohash.errors import TaxohashError
from tests.support.store_reading import Follower, fields_of
from tests.support.store_scenarios import BACK_ENDS, DIGEST, TAXONOMY, random_codes, ref

pytestmark = pytest.mark.system

SERVERS = [name for name in BACK_ENDS if name != "memory"]


def outcome(call: Callable[[], Any]) -> Any:
    """A reply, or what kind of error it is and what it says."""
    try:
        return call()
    except TaxohashError as error:
        return type(error), str(error)


# -- plain commands --------------------------------------------------------------------------------

fields = st.sampled_from([b"a", b"b", b"\0\xff", b""])
texts = st.sampled_from([b"", b"1", b"\xff\0", b"some text"])
ids = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda drawn: f"{drawn[0]}-{drawn[1]}")
scores = st.integers(-3, 2**52) | st.sampled_from([0.5, 1_700_000_000_123])
commands = st.one_of(
    st.tuples(st.just("HSET"), st.just("hash"), fields, texts),
    st.tuples(st.just("HSET"), st.just("hash"), fields, texts, fields, texts),
    st.tuples(st.just("HGET"), st.just("hash"), fields),
    st.tuples(st.just("HMGET"), st.just("hash"), fields, fields),
    st.tuples(st.just("HDEL"), st.just("hash"), fields, fields),
    st.tuples(st.just("HLEN"), st.just("hash")),
    st.tuples(st.just("HINCRBY"), st.just("hash"), st.just(b"count"), st.integers(-5, 5)),
    st.tuples(st.just("XADD"), st.just("stream"), st.integers(1, 50).map("{}-0".format), fields, texts),
    st.tuples(st.just("XRANGE"), st.just("stream"), ids, st.sampled_from(["+", "2-0", "30-0"])),
    st.tuples(st.just("XRANGE"), st.just("stream"), ids, st.just("+"), st.just("COUNT"), st.integers(1, 3)),
    st.tuples(st.just("XREVRANGE"), st.just("stream"), st.just("+"), st.just("-")),
    st.tuples(
        st.just("XREVRANGE"),
        st.just("stream"),
        st.just("+"),
        st.just("-"),
        st.just("COUNT"),
        st.integers(1, 3),
    ),
    st.tuples(st.just("XTRIM"), st.just("stream"), st.just("MAXLEN"), st.integers(0, 4)),
    st.tuples(st.just("ZADD"), st.just("sorted"), scores, fields),
    st.tuples(st.just("ZREM"), st.just("sorted"), fields),
    st.tuples(st.just("ZSCORE"), st.just("sorted"), fields),
    st.tuples(st.just("ZRANGEBYSCORE"), st.just("sorted"), st.integers(-3, 3), st.just("+inf")),
    st.tuples(st.just("UNLINK"), st.sampled_from(["hash", "stream", "sorted"])),
)


@pytest.mark.parametrize("url", SERVERS)
def test_plain_commands_are_answered_alike(request: pytest.FixtureRequest, url: str) -> None:
    server = Connection(request.getfixturevalue(url), 30)
    request.addfinalizer(server.close)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(commands, min_size=5, max_size=30))
    def alike(sequence: list[tuple[Any, ...]]) -> None:
        memory, newest = MemoryConnection(), 0
        for kind in ("hash", "stream", "sorted"):
            server.command("UNLINK", "{alike}" + kind, key="{alike}")
        for name, kind, *rest in sequence:
            if name == "XADD":  # ids of positions: they rise
                newest += int(rest[0].split("-")[0])
                rest[0] = f"{newest}-0"
            if (name, kind) == ("UNLINK", "stream"):
                newest = 0
            parts = (name, "{alike}" + kind, *rest)
            replies = [connection.command(*parts, key="{alike}") for connection in (memory, server)]
            if name == "ZSCORE":  # a number or its text, as the protocol has it
                replies = [None if reply is None else float(reply) for reply in replies]
            assert replies[0] == replies[1], parts

    alike()


# -- functions -------------------------------------------------------------------------------------


class Recorder:
    """Makes calls one by one, and keeps each with its outcome."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url
        self.calls: list[tuple[Call, Any]] = []

    def call(self, call: Call) -> Any:
        return self.call_all([call])[0]

    def call_all(self, calls: Sequence[Call], durability: Durability = APPLIED) -> list[Any]:
        replies = []
        for call in calls:
            self.calls.append((call, outcome(lambda call=call: self.server.call(call))))  # type: ignore[misc]
            replies.append(self.calls[-1][1])
        for reply in replies:
            if isinstance(reply, tuple):
                raise reply[0](reply[1])
        return replies

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)


def live(store: CodeStore, name: str, rng: random.Random, steps: int) -> None:
    """A life of a collection at random; what is refused is refused."""
    followers = [Follower(store, name, generation) for generation in "abc"]

    def some_ids() -> list[str]:
        first = rng.randrange(150)
        return [f"item {number}" for number in range(first, first + rng.choice([1, 3, 90]))]

    def some_items() -> list[Item]:
        return [
            Item(
                item_id,
                tuple(rng.sample(range(3), rng.randrange(4))),
                rng.choice(["", "u", "ü\u2028"]),
                rng.choice(["", DIGEST]),
                metadata=rng.choice([{}, {"n": 1}]),
                tags=rng.choice([(), ("new", "ü")]),
            )
            for item_id in some_ids()
        ]

    def fill(generation: str) -> None:
        items = some_items()
        store.begin(name, ref(generation))
        store.fill(name, generation, items, rng.choice([None, random_codes(len(items))]))

    def encode(generation: str) -> None:
        for found in list(store.lacking(name, generation)):
            revisions = [item.revision + rng.choice([0, 0, 0, 1]) for item in found]
            store.put_codes(
                name, generation, [item.id for item in found], random_codes(len(found)), revisions
            )

    def publish(generation: str) -> None:
        store.seal(name, generation)
        encode(generation)
        store.publish(name, generation)

    kinds: list[Callable[[str], object]] = [
        lambda _: store.upsert(name, some_items()),
        lambda _: store.upsert(name, some_items(), write=WriteId("w", rng.randrange(9))),
        lambda _: store.delete(name, some_ids()),
        fill,
        encode,
        publish,
        lambda _: store.rollback(name),
        lambda generation: store.discard(name, generation),
        lambda _: store.gc(name),
        lambda generation: store.items(name, some_ids(), generation),
        lambda generation: store.snapshot(name, generation),
        lambda _: store.state(name),
        lambda _: list(store.scan(name)),
        lambda _: rng.choice(followers).catch_up(),
    ]
    for _ in range(steps):
        outcome(lambda: rng.choice(kinds)(rng.choice("abc")))


@pytest.mark.parametrize("url", SERVERS)
def test_the_same_calls_get_the_same_replies(
    request: pytest.FixtureRequest, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By a clock that stands, under a name of its own on the server: so times and checksums are the same as well.
    source = functions.SOURCE.replace(functions.VERSION, "0" * 12)
    assert source.count("redis.call('TIME')") > 1
    monkeypatch.setattr(functions, "SOURCE", source.replace("redis.call('TIME')", "({'1700000000', '5'})"))
    monkeypatch.setattr(functions, "VERSION", "0" * 12)

    name, seed = f"alike-{random.randrange(10**9)}", random.randrange(10**9)
    print("seed", seed)
    recorder = Recorder(MemoryConnection())
    memory = CodeStore(recorder)
    memory.create(name, TAXONOMY, segments=2)
    live(memory, name, random.Random(seed), 150)
    assert len({call.function for call, _ in recorder.calls}) >= 20

    with CodeStore.connect(request.getfixturevalue(url)) as store:
        for call, reply in recorder.calls:
            assert outcome(lambda call=call: store.server.call(call)) == reply, (call.function, call.args)  # type: ignore[misc]
        for key in (collection_keys(name)[0], *(segment_keys(name, segment)[0] for segment in range(2))):
            assert fields_of(store, key) == fields_of(memory, key)
        for segment in range(2):
            key = segment_keys(name, segment)[1]
            parts = ("XRANGE", key, "0-1", "+")
            assert store.server.command(*parts, key=key) == memory.server.command(*parts, key=key)
