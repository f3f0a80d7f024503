"""Items in two sealed generations, of which the hashers are at hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore
from taxohash.generation.hasher import Hasher
from tests.support.backfills import hashers_in, with_items


@pytest.fixture
def hashers(tmp_path: Path) -> list[Hasher]:
    return hashers_in(tmp_path / "generations")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hashers: list[Hasher]) -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as made:
        with_items(made, hashers, tmp_path, monkeypatch)
        yield made
