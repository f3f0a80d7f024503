"""A store on every back end in turn."""

import itertools
from collections.abc import Iterator

import pytest

from services.codestore import CodeStore
from tests.support.store_reading import check_segments
from tests.support.store_scenarios import BACK_ENDS, TAXONOMY

NAMES = (f"scenario-{number}" for number in itertools.count())


@pytest.fixture(scope="module", params=BACK_ENDS)
def store(request: pytest.FixtureRequest) -> Iterator[CodeStore]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue(request.param)
    with CodeStore.connect(url) as connected:
        yield connected


@pytest.fixture
def other(store: CodeStore) -> Iterator[CodeStore]:
    """Another client of the same store."""
    if store.server.url == "memory://":
        yield CodeStore(store.server)
    else:
        with CodeStore.connect(store.server.url) as connected:
            yield connected


@pytest.fixture
def fresh() -> str:
    """The name of a collection that nobody has."""
    return next(NAMES)


@pytest.fixture
def name(store: CodeStore, fresh: str) -> Iterator[str]:
    """A new collection of three segments. After the test each of them must agree with itself."""
    store.create(fresh, TAXONOMY, segments=3)
    yield fresh
    check_segments(store, fresh)
