"""Any sequence of operations, by several clients, leaves the store as it leaves a plain model of it."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.codestore import CodeStore, Edit, GenerationRef, Item, WriteId, Written, fingerprint
from services.codestore.follower.errors import GoneError
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.store_model import Generation, Model
from tests.support.store_reading import Follower, check_segments

pytestmark = pytest.mark.system

PATHS = (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot"))
TAXONOMIES = [
    Taxonomy("products", PATHS),
    Taxonomy("products", (*PATHS, ("shoes", "clog"))),
    Taxonomy("products", (("hats", "cap"), *PATHS, ("shoes", "clog"))),
]
MANY = 150  # of ids that come and go by many: some blocks of each segment
NUMBERS = itertools.count()
DIGEST = "0123456789abcdef" * 4

few_ids = st.sampled_from(["a", "\n", "\0", "ÿ\u2028", "x" * 1024])
clients = st.integers(0, 1)
labels = st.lists(st.integers(0, 2), unique=True, max_size=3).map(tuple)
tags = st.lists(st.sampled_from(["new", "old stock"]), unique=True).map(tuple)
items = st.builds(
    Item,
    id=few_ids,
    labels=labels,
    picture=st.sampled_from(["", DIGEST]),
    thumbnail=st.sampled_from(["", DIGEST]),
    pixels=st.sampled_from(["", DIGEST[:16], DIGEST[10:26]]),
    uri=st.sampled_from(["", "file:///ü"]),
    metadata=st.sampled_from([{}, {"price": 2.5, "ü": "ÿ"}]),
    tags=tags,
)
batches = st.lists(items, min_size=1, max_size=4, unique_by=lambda item: item.id)
names = st.sampled_from(["a", "b", "c"])
edits = st.lists(
    st.builds(Edit, id=few_ids, labels=labels | st.none(), tags=tags | st.none()).filter(
        lambda edit: edit.labels is not None or edit.tags is not None
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda edit: edit.id,
)
ranges = st.tuples(st.integers(0, MANY), st.integers(1, MANY)).map(
    lambda drawn: [f"n {number}" for number in range(drawn[0], min(sum(drawn), MANY) + 1)]
)


def codes_of(bits: int, count: int, seed: int) -> npt.NDArray[np.uint8]:
    return np.packbits(np.random.default_rng(seed).integers(0, 2, (count, bits), np.uint8), axis=1)


class CodeStoreMachine(RuleBasedStateMachine):
    """Holds two clients of a store against the model."""

    stores: ClassVar[list[CodeStore]]

    @initialize(segments=st.integers(1, 2))
    def create(self, segments: int) -> None:
        self.name = f"model-{next(NUMBERS)}"
        self.model = Model()
        self.version = 0
        self.followers: list[Follower] = []
        self.tickets: list[tuple[str, list[str], list[int], list[int]]] = []
        self.writes: list[tuple[Callable[[], Any], Written, dict[str, int]]] = []
        self.stores[0].create(self.name, TAXONOMIES[0], segments)

    # -- writes ----------------------------------------------------------------------------------------

    def write(
        self,
        call: Callable[[WriteId | None], Written],
        words: list[str],
        named: bool,
        generations: Iterable[str] = (),
    ) -> None:
        """Make a write, that may be sent again later where it is named."""
        write = WriteId("import", len(self.writes)) if named else None
        written = call(write)
        assert list(written.results) == words
        if named:
            bits = {name: self.model.generations[name].bits for name in generations}
            self.writes.append((lambda: call(write), written, bits))

    def upsert_all(
        self, client: int, batch: list[Item], coded: Sequence[str], seed: int, named: bool
    ) -> None:
        store, reached = self.stores[client], self.model.generations
        codes = {name: codes_of(reached[name].bits, len(batch), seed) for name in coded if name in reached}
        words = self.model.upsert(
            batch,
            {name: [row.tobytes() for row in own] for name, own in codes.items()},
        )
        self.write(lambda write: store.upsert(self.name, batch, codes, write=write), words, named, codes)

    @rule(
        client=clients,
        batch=batches,
        coded=st.lists(names, unique=True, max_size=2),
        seed=st.integers(0, 99),
        named=st.booleans(),
    )
    def upsert(self, client: int, batch: list[Item], coded: list[str], seed: int, named: bool) -> None:
        self.upsert_all(client, batch, coded, seed, named)

    @rule(
        client=clients,
        ids=ranges,
        label=labels,
        coded=st.lists(names, unique=True, max_size=2),
        seed=st.integers(0, 99),
        uri=st.sampled_from(["", "u"]),
    )
    def upsert_many(
        self, client: int, ids: list[str], label: tuple[int, ...], coded: list[str], seed: int, uri: str
    ) -> None:
        self.upsert_all(client, [Item(item_id, label, uri) for item_id in ids], coded, seed, False)

    @rule(client=clients)
    def upsert_newest_label(self, client: int) -> None:
        """A label that came with a growth is taken by a client that has not seen it, and none is that was never given."""
        label = [2, 3, 4][self.version]
        self.upsert_all(client, [Item("a", (label,))], (), 0, False)
        with pytest.raises(TaxohashError, match="no label of this number"):
            self.stores[client].upsert(self.name, [Item("a", (label + 1,))])

    @rule(client=clients, name=names, batch=edits, named=st.booleans())
    def edit(self, client: int, name: str, batch: list[Edit], named: bool) -> None:
        store = self.stores[client]
        if name not in self.model.generations:
            with pytest.raises(TaxohashError, match="no generation"):
                store.edit(self.name, name, batch)
            return
        words = self.model.edit(name, batch)
        self.write(lambda write: store.edit(self.name, name, batch, write=write), words, named)

    def delete_all(self, client: int, ids: list[str], named: bool) -> None:
        store = self.stores[client]
        words = self.model.delete(ids)
        self.write(lambda write: store.delete(self.name, ids, write=write), words, named)

    @rule(client=clients, ids=st.lists(few_ids, min_size=1, max_size=4, unique=True), named=st.booleans())
    def delete(self, client: int, ids: list[str], named: bool) -> None:
        self.delete_all(client, ids, named)

    @rule(client=clients, ids=ranges)
    def delete_many(self, client: int, ids: list[str]) -> None:
        self.delete_all(client, ids, False)

    def fill_all(
        self, client: int, name: str, batch: list[Item], coded: bool, seed: int, named: bool
    ) -> None:
        if name not in self.model.generations:
            self.begin(client, name, 5)
        store, known = self.stores[client], self.model.generations[name]
        if known.state != "building":
            with pytest.raises(TaxohashError, match="is sealed"):
                store.fill(self.name, name, batch)
            return
        codes = codes_of(known.bits, len(batch), seed) if coded else None
        words = self.model.fill(name, batch, None if codes is None else [row.tobytes() for row in codes])
        self.write(lambda write: store.fill(self.name, name, batch, codes, write=write), words, named, [name])

    @rule(
        client=clients,
        name=names,
        batch=batches,
        coded=st.booleans(),
        seed=st.integers(0, 99),
        named=st.booleans(),
    )
    def fill(self, client: int, name: str, batch: list[Item], coded: bool, seed: int, named: bool) -> None:
        self.fill_all(client, name, batch, coded, seed, named)

    @rule(
        client=clients,
        name=names,
        ids=ranges,
        label=labels,
        coded=st.booleans(),
        seed=st.integers(0, 99),
        uri=st.sampled_from(["", "u"]),
    )
    def fill_many(
        self, client: int, name: str, ids: list[str], label: tuple[int, ...], coded: bool, seed: int, uri: str
    ) -> None:
        self.fill_all(client, name, [Item(item_id, label, uri) for item_id in ids], coded, seed, False)

    @rule(
        client=clients,
        name=names,
        ids=st.lists(few_ids, min_size=1, unique=True),
        seed=st.integers(0, 99),
        named=st.booleans(),
    )
    def put_codes(self, client: int, name: str, ids: list[str], seed: int, named: bool) -> None:
        store, known = self.stores[client], self.model.generations.get(name)
        codes = codes_of(known.bits if known else 8, len(ids), seed)
        if known is None:
            with pytest.raises(TaxohashError, match="no generation"):
                store.put_codes(self.name, name, ids, codes)
            return
        words = self.model.put_codes(name, ids, [row.tobytes() for row in codes], None)
        self.write(
            lambda write: store.put_codes(self.name, name, ids, codes, write=write), words, named, [name]
        )

    @rule(client=clients, name=names)
    def look_for_lacking(self, client: int, name: str) -> None:
        """What a backfill does first: what lacks, and of which revision."""
        if name in self.model.generations:
            found = [item for part in self.stores[client].lacking(self.name, name) for item in part]
            assert {item.id: (item.uri, item.picture) for item in found} == self.model.lacking(name)
            if found:
                ids = [item.id for item in found]
                moved = [self.model.items[item_id].moved for item_id in ids]
                self.tickets.append((name, ids, [item.revision for item in found], moved))

    @rule(client=clients, data=st.data(), seed=st.integers(0, 99))
    def bring_codes(self, client: int, data: st.DataObject, seed: int) -> None:
        """What it does next, or much later."""
        if not self.tickets:
            return
        name, ids, revisions, moved = data.draw(st.sampled_from(self.tickets[-3:]))
        known = self.model.generations.get(name)
        if known is not None:
            codes = codes_of(known.bits, len(ids), seed)
            words = self.model.put_codes(name, ids, [row.tobytes() for row in codes], moved)
            written = self.stores[client].put_codes(self.name, name, ids, codes, revisions)
            assert list(written.results) == words

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """A named write that comes again is not applied again; one that is not the last may be refused."""
        if self.writes:
            number = data.draw(st.integers(0, len(self.writes) - 1))
            call, written, named = self.writes[number]
            known = self.model.generations
            dropped = any(name not in known or known[name].bits != bits for name, bits in named.items())
            with suppress(TaxohashError) if number < len(self.writes) - 1 or dropped else nullcontext():
                assert call() == written

    @rule(client=clients)
    def another_batch_by_the_same_name(self, client: int) -> None:
        self.upsert_all(client, [Item("a")], (), 0, True)
        number = len(self.writes) - 1
        with pytest.raises(TaxohashError, match=f"write {number} of writer import was another batch"):
            self.stores[client].upsert(self.name, [Item("a", (1,))], write=WriteId("import", number))

    # -- generations -----------------------------------------------------------------------------------

    @rule(client=clients, name=names, bits=st.sampled_from([5, 5, 5, 5, 12]))
    def begin(self, client: int, name: str, bits: int) -> None:
        store, known = self.stores[client], self.model.generations.get(name)
        if known is not None and known.bits != bits:
            with pytest.raises(TaxohashError, match="another hasher"):
                store.begin(self.name, GenerationRef(name, bits, TAXONOMIES[0].sha256))
            return
        self.model.begin(name, bits)
        store.begin(self.name, GenerationRef(name, bits, TAXONOMIES[0].sha256))

    @rule(client=clients, name=names)
    def seal(self, client: int, name: str) -> None:
        if name in self.model.generations:
            self.model.seal(name)
            self.stores[client].seal(self.name, name)
        else:
            with pytest.raises(TaxohashError, match="no generation"):
                self.stores[client].seal(self.name, name)

    @rule(client=clients, name=names)
    def publish(self, client: int, name: str) -> None:
        store, model = self.stores[client], self.model
        if name not in model.generations:
            with pytest.raises(TaxohashError, match="no generation"):
                store.publish(self.name, name)
            return
        if model.history[:1] != [name]:
            model.revive(name)
            if count := len(model.lacking(name)):
                with pytest.raises(TaxohashError, match=f"lacks the codes of {count} of the"):
                    store.publish(self.name, name)
                return
            if model.generations[name].state == "building":
                with pytest.raises(TaxohashError, match="is not sealed"):
                    store.publish(self.name, name)
                return
        before = [*model.history, None]
        if model.history[:1] != [name]:
            model.point(name, back=False)
            assert store.publish(self.name, name) == before[0]
        else:
            assert store.publish(self.name, name) == before[1]

    @rule(client=clients, name=names, seed=st.integers(0, 99))
    def complete_and_publish(self, client: int, name: str, seed: int) -> None:
        if name in self.model.generations:
            if ids := list(self.model.lacking(name)):
                codes = codes_of(self.model.generations[name].bits, len(ids), seed)
                self.model.put_codes(name, ids, [row.tobytes() for row in codes], None)
                self.stores[client].put_codes(self.name, name, ids, codes)
            self.seal(client, name)
            self.publish(client, name)

    @rule(client=clients)
    def rollback(self, client: int) -> None:
        store, history = self.stores[client], self.model.history
        if len(history) < 2:
            with pytest.raises(TaxohashError, match="none to roll back to"):
                store.rollback(self.name)
            return
        self.model.revive(history[1])
        self.model.point(history[1], back=True)
        assert store.rollback(self.name) == self.model.history[0]

    @rule(client=clients, name=names)
    def discard(self, client: int, name: str) -> None:
        if name in self.model.generations and self.model.history[:1] != [name]:
            self.model.discard(name)
            self.stores[client].discard(self.name, name)
        else:
            with pytest.raises(TaxohashError, match=r"no generation|is published"):
                self.stores[client].discard(self.name, name)

    @rule(client=clients, name=names, process=st.sampled_from(["pod-1", "pod-2"]), held=st.booleans())
    def lease(self, client: int, name: str, process: str, held: bool) -> None:
        if held:
            self.model.leased.add((name, process))
            self.stores[client].lease(self.name, name, process, 3_600)
        else:
            self.model.leased.discard((name, process))
            self.stores[client].release(self.name, name, process)

    @rule(client=clients)
    def gc(self, client: int) -> None:
        dead, removed = self.model.gc()
        collected = self.stores[client].gc(self.name)
        assert (set(collected.generations), collected.items) == (dead, removed)
        for tally in self.stores[client].tallies(self.name):
            free = tally.blocks * 74 - tally.items
            assert free * 8 <= tally.blocks * 74 or tally.blocks == -(-tally.items // 74)

    @rule(client=clients)
    def grow(self, client: int) -> None:
        if self.version + 1 < len(TAXONOMIES):
            self.version += 1
            self.stores[client].grow(self.name, TAXONOMIES[self.version])

    # -- reading ---------------------------------------------------------------------------------------

    @rule(client=clients, name=names, page_blocks=st.integers(1, 3))
    def follow(self, client: int, name: str, page_blocks: int) -> None:
        if name in self.model.generations:
            follower = Follower(self.stores[client], self.name, name, page_blocks)
            self.check_follower(follower)
            self.followers.append(follower)

    @rule(data=st.data())
    def follow_on(self, data: st.DataObject) -> None:
        if self.followers:
            number = data.draw(st.integers(0, len(self.followers) - 1))
            try:
                self.check_follower(self.followers[number])
                assert self.followers[number].read == self.stores[0].segments(self.name)
            except GoneError:
                del self.followers[number]

    def check_follower(self, follower: Follower) -> None:
        found = follower.catch_up()
        assert found == self.members(follower.generation)

    def members(self, name: str) -> dict[str, Any]:
        model = self.model
        return {
            item_id: (item_id, member.labels, member.code, seen.tags, fingerprint(seen.pixels))
            for item_id, member in model.generations[name].members.items()
            for seen in [model.seen(name, item_id)]
        }

    # -- what holds always -----------------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        model, store, name = self.model, self.stores[1], self.name
        check_segments(store, name)
        assert store.count(name) == len(model.items)
        ids = sorted(model.items.keys() | model.buried | {"a", "b", "n 0"})
        for generation in (None, *model.generations):
            found = store.items(name, ids, generation)
            assert found == [model.item(item_id, generation) for item_id in ids]
            assert all(item is None or item.origin == model.items[item.id].origin for item in found)
        assert store.history(name) == model.history
        state = store.state(name)
        assert state.deleted == len(model.buried)
        listed = [(g.ref.id, g.ref.bits, g.state, g.members, g.codes) for g in state.generations]
        assert listed == [
            (known, *self.counted(generation)) for known, generation in model.generations.items()
        ]
        for known in model.generations:
            snapshot = store.snapshot(name, known)
            codes = {item_id: own[2] for item_id, own in self.members(known).items() if own[2] is not None}
            assert {
                item_id: code.tobytes() for item_id, code in zip(snapshot.ids, snapshot.codes, strict=True)
            } == codes

    def counted(self, generation: Generation) -> tuple[int, str, int, int]:
        members = generation.members.values()
        coded = sum(member.code is not None for member in members)
        return generation.bits, generation.state, len(members), coded


def run(stores: list[CodeStore], examples: int, steps: int) -> None:
    machine = type("Machine", (CodeStoreMachine,), {"stores": stores})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.no_cover  # as of all that is drawn at random
@pytest.mark.parametrize("examples", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_a_store_in_memory_agrees_with_the_model(examples: int) -> None:
    with CodeStore.connect("memory://") as store:
        run([store, CodeStore(store._connection)], examples, 40)


@pytest.mark.parametrize("server", ["redis_url", "redis8_url", "redis7_url", "cluster_url"])
def test_a_store_on_a_server_agrees_with_the_model(request: pytest.FixtureRequest, server: str) -> None:
    url = request.getfixturevalue(server)
    with CodeStore.connect(url) as one, CodeStore.connect(url) as other:
        run([one, other], 2, 30)
