"""A generation that knows how it was answered, and one that knows nothing."""

from pathlib import Path

import pytest

from taxohash.generation.hasher import Hasher
from tests.support.generations import make_generation
from tests.support.watched import make_watched


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    folder: Path = tmp_path_factory.mktemp("watched")
    make_watched(folder)
    return Hasher(folder)


@pytest.fixture(scope="session")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    folder: Path = tmp_path_factory.mktemp("silent")
    make_generation(folder)
    return Hasher(folder)
