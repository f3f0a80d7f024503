"""taxohash: binary codes for image retrieval that keep a label hierarchy."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taxohash.datasets import Dataset
    from taxohash.errors import TaxohashError
    from taxohash.hamming import HammingIndex
    from taxohash.library import evaluate, export, load_generation, prepare, train
    from taxohash.taxonomy import Taxonomy
    from taxohash.training.config import HasherConfig

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "HammingIndex",
    "HasherConfig",
    "TaxohashError",
    "Taxonomy",
    "evaluate",
    "export",
    "load_generation",
    "prepare",
    "train",
]

# Where each name lives; nothing of it is imported before it is asked for (PEP 562).
_HOMES = {
    "Dataset": "datasets",
    "HammingIndex": "hamming",
    "HasherConfig": "training.config",
    "TaxohashError": "errors",
    "Taxonomy": "taxonomy",
} | dict.fromkeys(("evaluate", "export", "load_generation", "prepare", "train"), "library")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
