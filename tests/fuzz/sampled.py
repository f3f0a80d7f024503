"""Any bytes as a sampled query."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.codestore.sampled.facts import Facts, Node, SampledQuery, file_of, query_in
from tests.fuzz.mutations import changed_bytes, changed_json
from tests.support.outcome import answer

MEMORY = 512
WORDS = (
    b"\n", b'"when"', b'"share"', b'"nearest"', b'"predicted"', b'"unlike"', b"null", b"true", b"NaN", b"1e999", b'"\\ud800"', b"{}", b"[]",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """With all that there may be, and with what there must be."""
    least: dict[str, Any] = {
        "when": 1,
        "share": 1.0,
        "generation": "g",
        "bits": 8,
        "code": "ff",
        "pixels": "0" * 16,
        "nearest": 0,
    }
    yield file_of(SampledQuery(b"\x89PNG\r\n\x1a\n", Facts(**least)))
    path = (Node(name="warm", confidence=0.9), Node(name="ü\n", confidence=0.5))
    yield file_of(
        SampledQuery(b"x", Facts(**least, identical=True, predicted=path, unlike=False, novelty=0.5))
    )


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another, most often with a line of JSON at its end."""
    draw = random.Random(seed)
    picture, _, line = data.rpartition(b"\n")
    if draw.random() < 0.2:
        return changed_bytes(data, most)[:most]
    return (picture + b"\n" + changed_json(line, most, draw))[:most]


def attempt(data: bytes, folder: Path) -> None:
    """What is taken is kept and read again as it was."""
    if (query := answer(lambda: query_in(data))) is not None:
        assert query_in(file_of(query)) == query
        assert data.startswith(query.picture + b"\n")
