"""Read-your-writes: an answer waits until what is served has applied the write that a token names."""

import asyncio
from typing import TYPE_CHECKING

from services.codestore import Token
from services.retrieval.answering import answer_with
from services.retrieval.service import Service
from services.web.refused import RefusedError, unavailable
from taxohash.errors import TaxohashError

if TYPE_CHECKING:
    from services.codestore.follower.follower import Follower
    from services.retrieval.following import Served

_FIRST_PAUSE, _LONGEST_PAUSE = (
    0.001,
    0.05,
)  # seconds between looks at what is applied; a write takes a few milliseconds


async def await_token(service: Service, served: "Served", text: str) -> "Served":
    """Wait until the write that a token names can be seen, `TAXOHASH_STORE_SECONDS` at most.

    Args:
        served: what the request has taken.
        text: the token, as a write has answered it.

    Returns:
        What to answer with: `served`, or what took its place meanwhile.

    Raises:
        RefusedError: 400, it is no token, or one of another collection; 503, the write is not applied in time.
    """
    token = parsed(text)
    seconds = service.settings.limits.store_seconds
    clock = asyncio.get_running_loop().time
    deadline, pause, looked = clock() + seconds, _FIRST_PAUSE, None
    while True:
        now, follower = service.followed or (served, None)
        if follower is not None:
            if _covers(follower, token):
                answer_with(now.generation)
                return now
            if follower is not looked:  # a hint of the write may have been lost, or not have come yet
                follower.look(token.positions)
                looked = follower
        if clock() >= deadline:
            raise unavailable(
                f"the write of this token is not applied here within {seconds:g} seconds (TAXOHASH_STORE_SECONDS): try again",
                1,
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def parsed(text: str) -> Token:
    try:
        return Token.parse(text)
    except TaxohashError as error:
        raise RefusedError(400, "parameter", str(error)) from None


def _covers(follower: "Follower", token: Token) -> bool:
    try:
        return follower.covers(token)
    except TaxohashError as error:
        raise RefusedError(400, "parameter", str(error)) from None
