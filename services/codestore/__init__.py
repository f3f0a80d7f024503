"""The code store (Redis): catalog, generations, packed codes, and an embedded server to keep them in."""

from services.codestore.connection import StoreUnavailableError
from services.codestore.embedded import EmbeddedServer
from services.codestore.records import GenerationRef, GenerationState, Item, ItemLabels, Position, Snapshot
from services.codestore.store import CodeStore

__all__ = [
    "CodeStore",
    "EmbeddedServer",
    "GenerationRef",
    "GenerationState",
    "Item",
    "ItemLabels",
    "Position",
    "Snapshot",
    "StoreUnavailableError",
]
