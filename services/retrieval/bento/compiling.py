"""In a process of its own, which numba compiles in for the CPU that its environment names:

    python -m services.retrieval.bento.compiling record PART FILE     run what needs the part's kernels; note their types
    python -m services.retrieval.bento.compiling compile FILE         compile for the types in FILE, and run nothing

What is compiled goes into NUMBA_CACHE_DIR.
"""

import gc
import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taxohash.runtime import kernel_places

ITEMS = "items"
"""The part of the kernels that have nothing to do with codes; others are named after the bits of a code."""


def main(arguments: list[str]) -> None:
    gc.set_threshold(
        100_000
    )  # a compiler keeps most of what it makes: looking for the rest takes a tenth of the time
    match arguments:
        case ["record", part, file]:
            Path(file).write_bytes(pickle.dumps(record(part)))
        case ["compile", file]:
            for module, name, types in pickle.loads(Path(file).read_bytes()):  # noqa: S301  # as we wrote it
                getattr(importlib.import_module(module), name).compile(types)


def record(part: str) -> list[tuple[str, str, Any]]:
    """Module, name and argument types of all kernels that a part needs."""
    from services.retrieval.bento.exercise import exercise_codes, exercise_items

    if part == ITEMS:
        exercise_items()
    else:
        exercise_codes(int(part))
    return [(module, name, types) for module, name, kernel in kernels() for types in kernel.signatures]


def kernels() -> Iterator[tuple[str, str, Any]]:
    """Module, name and dispatcher of all kernels that are imported."""
    from numba.core.dispatcher import Dispatcher

    packages = {name.replace("/", ".") for name in kernel_places.KERNELS}
    for module in [name for name in sys.modules if name.rpartition(".")[0] in packages]:
        for name, value in vars(sys.modules[module]).items():
            if isinstance(value, Dispatcher) and value.__module__ == module:
                yield module, name, value


if __name__ == "__main__":
    main(sys.argv[1:])
