"""Generations of the store, without a server."""

from typing import Any

import pytest

from services.codestore import CodeStore, GenerationRef, Item
from services.codestore.connection import Call
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("shoes", "boot")))


def test_a_sealing_that_was_interrupted_is_repeated_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with CodeStore.connect("memory://") as store:

        def build() -> None:
            store.begin("c", GenerationRef("g", 8, TAXONOMY.sha256))
            store.fill("c", "g", [Item("x", (1,))])
            store.seal("c", "g", 1)

        def interrupted(call: Call) -> Any:
            if call.function == "seal":
                raise TaxohashError("it is gone")
            return store._connection.call(call)

        store.create("c", TAXONOMY)
        with monkeypatch.context() as patched:
            patched.setattr(store, "_call", interrupted)
            with pytest.raises(TaxohashError, match="gone"):
                build()
        build()
        assert [known.state for known in store.generations("c")] == ["sealed"]
        with pytest.raises(TaxohashError, match="is sealed: begin another one"):
            store.fill("c", "g", [Item("y")])
