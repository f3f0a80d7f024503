"""Items that are put, changed and deleted all the time, while generations are built, sealed, filled, published and taken back, and
service and store start anew: what is served is held against a plain dictionary after each event."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path

import pytest

from services.codestore import CodeStore, EmbeddedServer
from services.codestore.pictures import Pictures
from taxohash.client import Client, RequestRefusedError
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.backfills import backfilled, hashers_in, ref_of
from tests.support.pictures import encoded, noise
from tests.support.serving import COLLECTION, Service, environment, pictures_of, publish, serving
from tests.support.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.slow]

PICTURES = [encoded(noise(30 + n, 20 + n, seed=n), ("PNG", "JPEG", "WEBP")[n % 3]) for n in range(12)]
LABELS = ("warm/red/crimson", "warm/yellow", "cold/blue/sky", "")
IDS = tuple(f"life {number}/ü" for number in range(16))
WRITES = 12  # before and after each event
Known = tuple[int, str, tuple[str, ...]]  # which picture, its label, its tags


class Life:
    """A service over a store, and what should be in it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._draw = folder, random.Random(seed)
        self.hashers = hashers_in(folder / "generations")
        self.items: dict[str, Known] = {}
        self.token: str | None = None
        self._store_server = ExitStack()
        self._service = ExitStack()
        self._served = self.hashers[0]
        self._starts = 0
        self.start_store()
        publish(self.server.url, self._served.folder)
        self.start_service()

    def close(self) -> None:
        self._service.close()
        self._store_server.close()

    @cached_property
    def pictures(self) -> Pictures:
        return Pictures.open(pictures_of(self.hashers[0].folder))

    # -- what happens -------------------------------------------------------------------------------------------------

    def start_store(self) -> None:
        self._store_server.close()
        self.server = self._store_server.enter_context(
            EmbeddedServer(self._folder / "valkey", fsync="always")
        )
        self.store = self._store_server.enter_context(CodeStore.connect(self.server.url))

    def start_service(self) -> None:
        self._service.close()
        self._starts += 1
        folder = self._folder / f"service-{self._starts}"
        folder.mkdir()
        variables = environment(
            self.server.url,
            folder,
            TAXOHASH_PICTURES=str(pictures_of(self.hashers[0].folder)),
            TAXOHASH_GENERATIONS=str(self.hashers[0].folder.parent),
        )
        self.service: Service = self._service.enter_context(
            serving(str(self.hashers[0].folder), variables, folder)
        )
        self.client = self._service.enter_context(Client(self.service.url))

    def begin(self) -> None:
        self.store.begin(COLLECTION, ref_of(self.hashers[1]))

    def seal(self) -> None:
        self.store.seal(COLLECTION, self.hashers[1].generation.id)

    def backfill(self) -> None:
        for hasher in self.hashers:
            backfilled(self.store, COLLECTION, hasher, self.pictures)

    def publish(self) -> None:
        """While a backfill works, without which it is refused: nothing that is there may be lost to a search."""
        with ThreadPoolExecutor(1) as aside:
            publishing = aside.submit(self.store.publish, COLLECTION, self.hashers[1].generation.id, wait=60)
            while not publishing.done():
                self.backfill()
            publishing.result()
        self._swap(self.hashers[1])

    def go_back(self) -> None:
        back = self.store.rollback(COLLECTION)
        self._swap(next(hasher for hasher in self.hashers if hasher.generation.id == back))

    def _swap(self, hasher: Hasher) -> None:
        self._served = hasher
        until(lambda: self.client.generation().id == hasher.generation.id)

    def write(self) -> None:
        """Put, change and delete."""
        for _ in range(WRITES):
            item = self._draw.choice(IDS)
            if item in self.items and self._draw.random() < 0.4:
                self.client.delete(item)
                del self.items[item]
                continue
            picture, label = self._draw.randrange(len(PICTURES)), self._draw.choice(LABELS)
            tags = tuple(sorted(self._draw.sample(("a", "b", "c"), self._draw.randrange(3))))
            told = self.client.put(item, PICTURES[picture], labels=[label] if label else [], tags=tags)
            assert told.new == (item not in self.items)
            self.items[item] = (picture, label, tags)
        self.token = self.client.token or self.token

    # -- what must be true --------------------------------------------------------------------------------------------

    def hold(self, *, whole: bool) -> None:
        """What is served is what was written.

        Args:
            whole: each item has its code in the generation that is served.
        """
        codes = [code.tobytes().hex() for code in self._served.encode(map(decode, PICTURES))]
        searchable: dict[int, set[str]] = {}
        for item in IDS:
            if item not in self.items:
                with pytest.raises(RequestRefusedError) as error:
                    self.client.get(item, token=self.token)
                assert (error.value.status, error.value.reason) == (404, "item")
                continue
            picture, label, tags = self.items[item]
            told = self.client.get(item, token=self.token)
            assert told.label_paths == ((tuple(label.split("/")),) if label else ())
            assert told.tags == tags
            assert told.generation == self._served.generation.id
            assert self.client.image(item) == PICTURES[picture]
            assert (told.code, told.state) in ((codes[picture], "searchable"), (None, "being encoded"))
            if told.code:
                searchable.setdefault(picture, set()).add(item)
            assert told.code or not whole
        for picture, code in enumerate(codes):
            found = self.client.search(PICTURES[picture], radius=0, ranking="hamming", token=self.token)
            assert found.code == code
            ours = {result.id for result in found.results if result.id in IDS}
            same = {item for other, own in searchable.items() if codes[other] == code for item in own}
            assert ours == same
            marked = {result.id for result in found.results if result.identical}
            assert marked == searchable.get(picture, set())


@pytest.fixture(params=[1, 2])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    made = Life(tmp_path, request.param)
    yield made
    made.close()


def test_items_live_through_all_that_happens_to_generations_service_and_store(life: Life) -> None:
    events: list[tuple[Callable[[], None], bool]] = [
        (life.start_service, True),
        (life.begin, True),
        (life.start_store, True),
        (life.seal, True),
        (life.start_service, True),
        (life.publish, True),
        (life.start_service, True),
        (life.go_back, False),
        (life.start_store, False),
        (life.backfill, True),
        (life.publish, True),
        (life.go_back, False),
        (life.start_service, False),
        (life.backfill, True),
        (life.start_service, True),
    ]
    for happen, whole in events:
        life.write()
        happen()
        until(partial(answers, life))
        life.hold(whole=whole)
        life.write()
        life.hold(whole=whole)
    assert "Traceback" not in life.service.log.read_text()


def answers(life: Life) -> bool:
    """Whether the service reaches its store; after that was away for a moment it looks again."""
    try:
        life.client.get("nobody")
    except RequestRefusedError as error:
        return error.status == 404
    return False
