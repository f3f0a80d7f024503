"""One list of scenarios, through every door: what is told is the same, word for word, and so is what is refused."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from services.codestore import CodeStore, EmbeddedServer
from services.codestore.follower.follower import Follower
from services.codestore.hashers import Hashers
from services.retrieval.following import Followed
from services.retrieval.late_store import LateStore
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.calibrations import KNOWN
from tests.support.clients import KINDS, opened
from tests.support.generations import make_generation
from tests.support.serving import COLLECTION, PICTURES, environment, pictures_of, publish, serving
from tests.system.scenarios.doors import SECONDS, Door, Http, InProcess, Typed
from tests.system.scenarios.scenarios import SCENARIOS, World

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def hasher(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    folder = tmp_path_factory.mktemp("doors") / "generation"
    make_generation(folder, calibration=KNOWN)
    return Hasher(folder)


@pytest.fixture(scope="module")
def world(hasher: Hasher) -> World:
    codes = hasher.encode(decode(picture) for picture in PICTURES)
    return World(hasher.generation.id, tuple(code.tobytes().hex() for code in codes))


@pytest.fixture(scope="module")
def doors(hasher: Hasher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Door]]:
    """Over one store."""
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer(tmp_path_factory.mktemp("valkey")))
        publish(server.url, hasher.folder)
        pictures = pictures_of(hasher.folder)
        variables = environment(server.url, tmp_path_factory.mktemp("home"), TAXOHASH_PICTURES=str(pictures))
        folder = tmp_path_factory.mktemp("service")
        service = stack.enter_context(serving(str(hasher.folder), variables, folder))
        http = Http(service.url)
        stack.callback(http.close)
        clients = {kind: Typed(stack.enter_context(opened(kind, service.url))) for kind in KINDS}
        yield {
            "http": http,
            **clients,
            "engine": stack.enter_context(in_process(server.url, hasher, pictures)),
        }


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_door_tells_the_same(name: str, doors: Mapping[str, Door], world: World) -> None:
    told = {door: SCENARIOS[name](own, world) for door, own in doors.items()}
    for door, own in told.items():
        assert own == told["http"], door


@contextmanager
def in_process(url: str, hasher: Hasher, pictures: Path) -> Iterator[Door]:
    """The engine that follows the published generation in this process."""
    with CodeStore.connect(url) as store:
        followed = Followed(LateStore(lambda: store), COLLECTION)
        pointer = followed.pointer()
        assert pointer.generation
        served = followed.open(Hashers(hasher.folder, None, hasher.folder), pointer.generation)
        with Follower(followed.source(pointer), served.replica) as follower:
            assert follower.wait_ready(SECONDS), follower.error
            yield InProcess(served.engine, follower, store, COLLECTION, pictures)
