"""The code store (Redis): catalogue, generations, packed codes, and an embedded server to keep them in."""

from services.codestore.connection import (
    APPLIED,
    FSYNCED,
    Durability,
    NotDurableError,
    StaleError,
    StoreUnavailableError,
    TryAgainError,
    replicated,
)
from services.codestore.embedded import EmbeddedServer
from services.codestore.labels import LabelNumbers
from services.codestore.records import (
    GenerationRef,
    GenerationState,
    Item,
    ItemLabels,
    Lacking,
    Pointer,
    Snapshot,
    Token,
    Written,
)
from services.codestore.store import CodeStore
from services.codestore.writers import WriteId

__all__ = [
    "APPLIED",
    "FSYNCED",
    "CodeStore",
    "Durability",
    "EmbeddedServer",
    "GenerationRef",
    "GenerationState",
    "Item",
    "ItemLabels",
    "LabelNumbers",
    "Lacking",
    "NotDurableError",
    "Pointer",
    "Snapshot",
    "StaleError",
    "StoreUnavailableError",
    "Token",
    "TryAgainError",
    "WriteId",
    "Written",
    "replicated",
]
