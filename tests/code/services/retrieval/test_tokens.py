"""An answer waits for the write that a token names, and no longer than it may."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.codestore import Token
from services.retrieval.answering import answered_by
from services.retrieval.service import Service
from services.retrieval.tokens import await_token
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError

TOKEN = "0123abcd.0-4.2-7"


class Follower:
    """A follower that has reached a token after it was asked so often."""

    def __init__(self, looks_before: int) -> None:
        self._left = looks_before
        self.looked: list[list[int]] = []

    def covers(self, token: Token) -> bool:
        if token.incarnation != "0123abcd":
            raise TaxohashError("the token is not of this collection: write again")
        self._left -= 1
        return self._left < 0

    def look(self, segments: Any) -> None:
        self.looked.append(sorted(segments))


def service_of(followed: Any, seconds: float = 30.0) -> Service:
    limits = SimpleNamespace(store_seconds=seconds)
    return cast(Service, SimpleNamespace(followed=followed, settings=SimpleNamespace(limits=limits)))


def waited(service: Service, text: str = TOKEN) -> str:
    """The generation to answer with."""
    served: Any = SimpleNamespace(generation="before")

    async def wait() -> str:
        answer = await await_token(service, served, text)
        assert answered_by() == answer.generation
        return answer.generation

    return asyncio.run(wait())


def test_what_is_applied_is_not_waited_for() -> None:
    follower = Follower(0)
    assert waited(service_of((SimpleNamespace(generation="now"), follower), 1e-9)) == "now"
    assert not follower.looked


def test_the_store_is_asked_once_until_it_is_applied() -> None:
    follower = Follower(5)
    assert waited(service_of((SimpleNamespace(generation="now"), follower))) == "now"
    assert follower.looked == [[0, 2]]


def test_a_generation_that_takes_over_meanwhile_answers() -> None:
    class Swapping:
        settings = service_of(None).settings
        before, after = Follower(10**6), Follower(1)
        asked = 0

        @property
        def followed(self) -> Any:
            self.asked += 1
            if self.asked < 4:
                return SimpleNamespace(generation="before"), self.before
            return SimpleNamespace(generation="after"), self.after

    service = Swapping()
    assert waited(cast(Service, service)) == "after"
    assert service.before.looked == service.after.looked == [[0, 2]]


def test_what_does_not_come_in_time_is_503_and_when_to_ask_again() -> None:
    with pytest.raises(RefusedError, match="TAXOHASH_STORE_SECONDS") as refused:
        waited(service_of((SimpleNamespace(generation="now"), Follower(10**6)), 0.01))
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})


@pytest.mark.parametrize(
    "text",
    ["", "x", "0123abcd.", "0123ABCD.0-4", "0123abcd.0-4 ", "0123abcd.99999-4", "ffffffff.0-4", "a" * 9000],
)
def test_what_is_no_token_of_this_collection_is_400(text: str) -> None:
    with pytest.raises(RefusedError, match="token") as refused:
        waited(service_of((SimpleNamespace(generation="now"), Follower(0))), text)
    assert refused.value.status == 400
    assert len(str(refused.value)) < 300
