"""A code store whose user is interrupted at the worst moment."""

from typing import Any

from services.codestore import CodeStore, Item, Written


class Interrupted:
    """Interrupted after so many batches were filled, the last of which was applied; then before it publishes."""

    def __init__(self, store: CodeStore, batches: int) -> None:
        self._store = store
        self._left = batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fill(self, collection: str, generation_id: str, items: list[Item], codes: Any) -> Written:
        written = self._store.fill(collection, generation_id, items, codes)
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return written

    def publish(self, *_: Any, **__: Any) -> str:
        raise KeyboardInterrupt
