"""The backfill as a process of its own: it goes on for as long as it runs, whatever the store does meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NoReturn

from pipelines.backfill.encode import Encoder
from services.codestore import CodeStore, StoreUnavailableError
from services.codestore.backfill import TakenError, Turn
from services.codestore.turns import FOLLOWING
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce

LOOK_SECONDS = 1.0
_TURN_SECONDS = 20.0  # with one generation, while others lack codes too


@contextmanager
def awaited(
    connect: Callable[[], AbstractContextManager[CodeStore]], sleep: Callable[[float], None] = time.sleep
) -> Iterator[CodeStore]:
    """The store, once it answers: it may start after us, and have no address before. What stands in the way is said, once."""
    say = _once()
    with ExitStack() as stack:
        while True:
            try:
                store = stack.enter_context(connect())
                break
            except StoreUnavailableError as error:
                say(f"{error}; waiting for it")
                sleep(LOOK_SECONDS)
        yield store


def follow(
    store: CodeStore, collection: str, encoder: Encoder, sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Encode what live generations lack, about a second after it came. Of several processes one does, the others wait for its end.

    What stands in the way is said, once, and waited for: a store that does not answer, a collection that is not there yet.
    """
    say = _once()
    following = f"following collection {collection} as {encoder.runner}"
    while True:
        try:
            with Turn(store, collection, FOLLOWING, encoder.runner) as turn:
                say(following)
                while True:
                    turn.check()
                    say(_trouble(store, collection, encoder) or following)
                    sleep(LOOK_SECONDS)
        except TakenError as taken:
            say(f"{taken.lease.runner} follows collection {collection}: waiting until it ends")
        except TaxohashError as error:
            say(str(error))
        sleep(LOOK_SECONDS)


def _once() -> Callable[[str], None]:
    """Says what is not what it said last."""
    said = ""

    def say(text: str) -> None:
        nonlocal said
        if text != said:
            said = text
            announce(text)

    return say


def _trouble(store: CodeStore, collection: str, encoder: Encoder) -> str:
    """Encode what lacks; what stood in the way, or nothing."""
    try:
        if not store.exists(collection):
            return f"there is no collection {collection} yet: waiting for it"
        encoder.step(wait=False, seconds=_TURN_SECONDS)
    except TaxohashError as error:
        return str(error)
    return ""
