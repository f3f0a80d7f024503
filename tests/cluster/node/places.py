"""Where all of it lies: a cache outside of the repository, and the folder of a node."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def cache() -> Path:
    """What is made once and kept."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "taxohash" / "cluster"


def default_home() -> Path:
    """The folder of a node of which nobody said where it should be."""
    return cache() / "node"
