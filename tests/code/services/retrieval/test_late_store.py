import threading
from typing import Any, cast

import pytest

from services.codestore import CodeStore, StoreUnavailableError
from services.retrieval.late_store import LateStore
from taxohash.errors import TaxohashError
from tests.support.application import NoStore
from tests.support.waiting import until


def test_a_late_store_is_connected_once_and_tried_again_until_it_answers() -> None:
    tries: list[int] = []
    made = cast(Any, NoStore())

    def connect() -> CodeStore:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailableError("nobody there")
        return cast(CodeStore, made)

    late = LateStore(connect)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            late()
    assert late() is made
    assert late() is made
    assert len(tries) == 3
    late.close()
    never = LateStore(connect)
    never.close()
    with pytest.raises(TaxohashError, match="ending"):
        never()


class _Counting:
    """A lock that knows who came to it."""

    def __init__(self) -> None:
        self.came: list[int] = []
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.came.append(1)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_those_who_wait_for_one_that_connects_share_what_becomes_of_it() -> None:
    """However many ask a store that does not answer: together they wait as long as one."""
    let_go, tries = threading.Event(), list[int]()

    def connect() -> CodeStore:
        tries.append(1)
        assert let_go.wait(30)
        raise StoreUnavailableError("nobody there")

    late, told, lock = LateStore(connect), list[str](), _Counting()
    late._lock = cast(Any, lock)

    def ask() -> None:
        with pytest.raises(StoreUnavailableError) as refused:
            late()
        told.append(str(refused.value))

    threads = [threading.Thread(target=ask) for _ in range(41)]
    for thread in threads:
        thread.start()
    until(lambda: len(lock.came) == 41)
    let_go.set()
    for thread in threads:
        thread.join(30)
    assert told == ["nobody there"] * 41
    assert len(tries) == 1
    with pytest.raises(StoreUnavailableError):
        late()
    assert len(tries) == 2
