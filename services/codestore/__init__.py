"""The code store (Redis): catalogue, generations, packed codes, and an embedded server to keep them in."""

import importlib
from typing import TYPE_CHECKING, Any

from services.codestore.connection import (
    APPLIED,
    FSYNCED,
    Durability,
    FencedError,
    FullError,
    NoPermissionError,
    NotDurableError,
    OtherWriteError,
    StaleError,
    StoreUnavailableError,
    TryAgainError,
    replicated,
)
from services.codestore.labels import LabelNumbers
from services.codestore.records import (
    Edit,
    GenerationRef,
    GenerationState,
    HeldItem,
    Item,
    ItemLabels,
    Lacking,
    Pointer,
    Snapshot,
    Token,
    Written,
    fingerprint,
)
from services.codestore.store import CodeStore
from services.codestore.writers import WriteId

if TYPE_CHECKING:
    from services.codestore.embedded import EmbeddedServer

__all__ = [
    "APPLIED",
    "FSYNCED",
    "CodeStore",
    "Durability",
    "Edit",
    "EmbeddedServer",
    "FencedError",
    "FullError",
    "GenerationRef",
    "GenerationState",
    "HeldItem",
    "Item",
    "ItemLabels",
    "LabelNumbers",
    "Lacking",
    "NoPermissionError",
    "NotDurableError",
    "OtherWriteError",
    "Pointer",
    "Snapshot",
    "StaleError",
    "StoreUnavailableError",
    "Token",
    "TryAgainError",
    "WriteId",
    "Written",
    "fingerprint",
    "replicated",
]


def __getattr__(name: str) -> Any:
    """The embedded server is imported by those who start one (PEP 562)."""
    if name != "EmbeddedServer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("services.codestore.embedded").EmbeddedServer
