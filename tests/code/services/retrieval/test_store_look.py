"""What the metrics say of the store, while it answers and while it does not."""

import math
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from services import metrics
from services.codestore import CodeStore, Item, Snapshot
from services.retrieval import store_look
from services.retrieval.late_store import LateStore
from services.retrieval.store_look import StoreLook
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.waiting import until


@pytest.fixture
def store(snapshot: Snapshot) -> CodeStore:
    made = CodeStore.connect("memory://")
    filled(made, snapshot)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It looks all the time; afterwards nobody does."""
    monkeypatch.setattr(store_look, "LOOK_SECONDS", 0.01)
    before = set(threading.enumerate())
    yield
    until(lambda: not any(thread.name == "store-look" for thread in set(threading.enumerate()) - before))


def value(gauge: Any) -> float:
    return float(gauge._value.get())


def test_a_look_tells_what_the_store_has(store: CodeStore, snapshot: Snapshot) -> None:
    look = StoreLook(LateStore(lambda: store), "default")
    assert math.isnan(value(metrics.STORE_ITEMS))  # nobody has looked yet
    store.upsert("default", [Item("new", uri="u")])
    look.look()
    assert value(metrics.STORE_ITEMS) == len(snapshot.ids) + 1
    assert value(metrics.STORE_LACKING) == 1
    assert value(metrics.STORE_BEHIND) == 0
    assert value(metrics.STORE_STREAM) > 0
    assert value(metrics.STORE_PERSISTS) == 0
    look.look_at_certificate()
    assert value(metrics.CERTIFICATE_EXPIRES) == math.inf


@pytest.mark.usefixtures("quick")
def test_a_store_that_is_away_leaves_what_was_seen_and_when(store: CodeStore, snapshot: Snapshot) -> None:
    answering: list[Any] = [store]
    looked: list[float] = []

    class Away:
        """As the store, while there is one."""

        def __getattr__(self, name: str) -> Any:
            looked.append(value(metrics.STORE_LOOKED))
            return getattr(answering[-1], name)

    look = StoreLook(LateStore(lambda: cast(CodeStore, Away())), "default")
    look.start()
    try:
        until(lambda: value(metrics.STORE_ITEMS) == len(snapshot.ids))
        for trouble in (NoStore(), None):  # None: what nobody foresaw
            answering.append(trouble)
            count = len(looked)
            until(lambda: len(looked) > count + 3)  # noqa: B023
            assert len(set(looked[-2:])) == 1
            assert value(metrics.STORE_ITEMS) == len(snapshot.ids)
        answering.append(store)
        store.upsert("default", [Item("new", uri="u")])
        until(lambda: value(metrics.STORE_ITEMS) == len(snapshot.ids) + 1)
        assert value(metrics.STORE_LOOKED) > looked[0]
    finally:
        look.stop()


def test_nobody_waits_for_a_look(
    hasher: Hasher, store: CodeStore, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a search nor the end of the service, while the store keeps silent."""
    answers, begun = threading.Event(), threading.Event()

    def silent(self: CodeStore) -> None:
        begun.set()
        answers.wait()
        raise TaxohashError("it is away")

    monkeypatch.setattr(CodeStore, "server_figures", silent)
    client = Client(settings_of(hasher), lambda seconds: store)
    try:
        assert begun.wait(60)
        code = snapshot.codes[0].tobytes().hex()
        assert client.ask(code=code).status_code == 200
        client.close()
    finally:
        answers.set()
