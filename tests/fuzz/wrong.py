"""A target that any input but an empty one breaks: what a find looks like."""

from collections.abc import Iterator
from pathlib import Path

from taxohash.taxonomy import Taxonomy
from tests.support.outcome import answer

MEMORY = 512
WORDS = (b"wrong",)


def seeds() -> Iterator[bytes]:
    """Nothing: the first that is tried is a find."""
    yield b""


def attempt(data: bytes, folder: Path) -> None:
    """Fails."""
    answer(lambda: Taxonomy.from_json(data.decode(errors="replace")))
    assert not data, "wrong on purpose"
