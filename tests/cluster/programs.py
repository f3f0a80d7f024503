"""Programs of the project that run in the node's network, beside its pods."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python(module: str, *words: str) -> list[str]:
    """The command that runs a module."""
    return [sys.executable, "-m", module, *words]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Of such a program: nothing of what this process is told of stores and buckets, and more."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TAXOHASH_", "AWS_"))}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"} | dict(more)
