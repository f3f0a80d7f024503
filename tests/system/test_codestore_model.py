"""Any sequence of operations leaves the store as it leaves a plain model of it."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.codestore import CodeStore, GenerationRef, Item
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
NUMBERS = itertools.count()

item_ids = st.sampled_from(["item 0", "item 1", "a\nb", "\n", "\0", "ÿ\u2028", "...", "x" * 1024, *"abcd"])
items = st.builds(
    Item,
    id=item_ids,
    labels=st.lists(st.integers(0, 2), unique=True).map(tuple),
    thumbnail=st.binary(max_size=4),
    uri=st.sampled_from(["", "file:///ü"]),
    tags=st.lists(st.sampled_from(["new", "old stock"]), unique=True).map(tuple),
)
generation_ids = st.sampled_from(["a", "b", "c"])


@dataclass
class Model:
    """The store in dictionaries."""

    items: dict[str, Item] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)
    codes: dict[str, dict[str, int]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)


class CodeStoreMachine(RuleBasedStateMachine):
    """Runs each operation on both; where the model says that it is refused, nothing may change."""

    store: CodeStore

    @initialize(segments=st.integers(1, 4))
    def create(self, segments: int) -> None:
        self.name = f"model{next(NUMBERS)}"
        self.model = Model()
        self.store.create(self.name, TAXONOMY, segments)

    @rule(batch=st.lists(items, max_size=8))
    def put_items(self, batch: list[Item]) -> None:
        before = len(self.model.items)
        self.model.items.update({item.id: item for item in batch})
        assert self.store.put_items(self.name, batch) == len(self.model.items) - before

    @rule(generation_id=generation_ids, bits=st.sampled_from([5, 8]))
    def begin(self, generation_id: str, bits: int) -> None:
        ref = GenerationRef(generation_id, bits, TAXONOMY.sha256)
        if self.model.bits.setdefault(generation_id, bits) == bits:
            self.model.codes.setdefault(generation_id, {})
            self.store.begin(self.name, ref)
        else:
            with pytest.raises(TaxohashError, match="bits"):
                self.store.begin(self.name, ref)

    @rule(generation_id=generation_ids, ids=st.lists(item_ids, unique=True), value=st.integers(0, 31))
    def put_codes(self, generation_id: str, ids: list[str], value: int) -> None:
        values = {item_id: (value + i) % 32 << 3 for i, item_id in enumerate(ids)}
        codes = np.array(list(values.values()), np.uint8).reshape(-1, 1)
        if generation_id in self.model.bits and self.model.items.keys() >= set(ids):
            self.model.codes[generation_id].update(values)
            position = self.store.put_codes(self.name, generation_id, ids, codes)
            seen = self.store.snapshot(self.name, generation_id).position
            assert all(reached <= now for reached, now in zip(position, seen, strict=True))
        else:
            with pytest.raises(TaxohashError, match=r"put the items first|begin it first"):
                self.store.put_codes(self.name, generation_id, ids, codes)

    @rule(generation_id=generation_ids)
    def complete(self, generation_id: str) -> None:
        missing = self.model.items.keys() - self.model.codes.get(generation_id, {}).keys()
        self.put_codes(generation_id, sorted(missing), 7)

    @rule(generation_id=generation_ids)
    def publish(self, generation_id: str) -> None:
        model = self.model
        if generation_id in model.bits and model.codes[generation_id].keys() == model.items.keys():
            if model.history[:1] != [generation_id]:
                model.history = [generation_id, *(known for known in model.history if known != generation_id)]
            assert self.store.publish(self.name, generation_id) == (
                model.history[1] if model.history[1:] else None
            )
        else:
            with pytest.raises(TaxohashError, match=r"lacks the codes|no generation"):
                self.store.publish(self.name, generation_id)

    @rule()
    def rollback(self) -> None:
        if len(self.model.history) > 1:
            self.model.history.pop(0)
            assert self.store.rollback(self.name) == self.model.history[0]
        else:
            with pytest.raises(TaxohashError, match="none to roll back to"):
                self.store.rollback(self.name)

    @rule(generation_id=generation_ids)
    def discard(self, generation_id: str) -> None:
        model = self.model
        if generation_id in model.bits and model.history[:1] != [generation_id]:
            del model.bits[generation_id], model.codes[generation_id]
            model.history = [known for known in model.history if known != generation_id]
            self.store.discard(self.name, generation_id)
        else:
            with pytest.raises(TaxohashError, match=r"no generation|is published"):
                self.store.discard(self.name, generation_id)

    @invariant()
    def agrees(self) -> None:
        model, store, name = self.model, self.store, self.name
        assert {item_id: store.item(name, item_id) for item_id in model.items} == model.items
        assert store.count(name) == len(model.items)
        assert store.history(name) == model.history
        published = store.published(name)
        assert (published and published.id) == (model.history[0] if model.history else None)
        listed = {state.ref.id: (state.ref.bits, state.codes) for state in store.generations(name)}
        assert listed == {known: (bits, len(model.codes[known])) for known, bits in model.bits.items()}
        for generation_id, codes in model.codes.items():
            snapshot = store.snapshot(name, generation_id)
            assert dict(zip(snapshot.ids, snapshot.codes[:, 0].tolist(), strict=True)) == codes
            labels = {
                item_id: tuple(snapshot.labels[row].tolist()) for row, item_id in enumerate(snapshot.ids)
            }
            assert labels == {item_id: model.items[item_id].labels for item_id in codes}


@pytest.mark.parametrize("server", ["redis_url", "redis8_url", "cluster_url"])
def test_the_store_agrees_with_a_plain_model(request: pytest.FixtureRequest, server: str) -> None:
    with CodeStore.connect(request.getfixturevalue(server)) as store:
        machine = type("Machine", (CodeStoreMachine,), {"store": store})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
