"""A collection in a store with something of everything, and how a write or a damage comes upon it."""

from collections.abc import Callable

import numpy as np

from services.codestore import CodeStore, Item
from services.codestore.collection import Collection
from services.codestore.connection import Call
from services.codestore.records import GenerationRef
from taxohash.taxonomy import Taxonomy

TAXONOMY = Taxonomy("t", (("a", "b"), ("a", "c"), ("d", "e")))
BITS = 16


def some_items(numbers: range, seed: int = 0) -> list[Item]:
    """Items with one label, several or none, some with tags, URI, metadata, and ids of several scripts."""
    random = np.random.default_rng(seed)
    return [
        Item(
            f"item {number} " + "é中ß\n"[: number % 5],
            tuple(sorted(random.choice(3, random.integers(0, 4), replace=False).tolist())),
            uri=f"https://example.org/{seed}/{number}" if number % 3 == 0 else "",
            picture="ab" * 32 if number % 5 == 0 else "",
            metadata={"n": number} if number % 7 == 0 else {},
            tags=("x", f"t{number % 4}") if number % 4 == 0 else (),
        )
        for number in numbers
    ]


def some_codes(count: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Codes of BITS bits."""
    return np.random.default_rng(seed).integers(0, 256, (count, BITS // 8), dtype=np.uint8)


def fill_collection(store: CodeStore, name: str = "c", segments: int = 3, count: int = 400) -> None:
    """A published generation g1, a sealed one g2 in which some items differ and some lack codes, items of the API, deletions."""
    store.create(name, TAXONOMY, segments)
    items = some_items(range(count))
    store.begin(name, GenerationRef("g1", BITS, TAXONOMY.sha256))
    store.fill(name, "g1", items, some_codes(count))
    store.seal(name, "g1")
    store.publish(name, "g1", who="test")
    store.upsert(name, some_items(range(count, count + 50), 1), {"g1": some_codes(50, 1)})
    store.begin(name, GenerationRef("g2", BITS, TAXONOMY.sha256))
    changed = some_items(range(count // 4, count), 2)
    store.fill(name, "g2", changed[::2], some_codes(len(changed[::2]), 2))
    store.fill(name, "g2", changed[1::2], None)
    store.delete(name, [item.id for item in items[::9]])
    store.seal(name, "g2")


class BetweenCalls:
    """A connection that lets something happen before each call of a function."""

    def __init__(self, connection: object, happen: Callable[[Call], None]) -> None:
        self._connection = connection
        self._happen = happen
        self._inside = False

    def call(self, call: Call) -> object:
        """As the connection."""
        if not self._inside:
            self._inside = True
            self._happen(call)
            self._inside = False
        return self._connection.call(call)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def hash_of(store: CodeStore, opened: Collection, segment: int) -> dict[bytes, bytes]:
    """All fields of a segment, by a scan of its hash."""
    key = opened.on(segment, "").keys[0]
    cursor, fields = b"0", dict[bytes, bytes]()
    while True:
        cursor, flat = store._connection.command("HSCAN", key, cursor, "COUNT", 10_000, key=key)
        fields.update(zip(flat[::2], flat[1::2], strict=True))
        if cursor == b"0":
            return fields


def set_field(store: CodeStore, key: str, field: bytes, value: bytes | None) -> None:
    """What no function would do."""
    if value is None:
        store._connection.command("HDEL", key, field, key=key)
    else:
        store._connection.command("HSET", key, field, value, key=key)
