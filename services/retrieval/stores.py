"""Stores asked for a request: in a thread, within TAXOHASH_STORE_SECONDS, and what goes wrong in one sentence."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from services.codestore import (
    FullError,
    NoPermissionError,
    OtherWriteError,
    StaleError,
    StoreUnavailableError,
)
from services.codestore.pictures import Pictures
from services.retrieval.service import Service
from services.web.refused import RefusedError, unavailable
from taxohash.errors import TaxohashError

T = TypeVar("T")


@asynccontextmanager
async def within_seconds(service: Service, told: str = "try again in a few") -> AsyncIterator[None]:
    """All that is asked of stores in this block: waiting for threads, connecting and repeating are in it.

    Args:
        told: what to do where they do not answer.

    Raises:
        RefusedError: 503, they did not in time.
    """
    seconds = service.settings.limits.store_seconds
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise unavailable(
            f"a store does not answer within {seconds:g} seconds (TAXOHASH_STORE_SECONDS): {told}"
        ) from None


def pictures_of(service: Service) -> Pictures:
    """The store of pictures.

    Raises:
        RefusedError: 503, nobody said where it is.
    """
    if service.pictures is None:
        raise RefusedError(
            503,
            "pictures",
            "pictures are not at hand: set TAXOHASH_PICTURES to the picture store",
            {"Retry-After": "60"},
        )
    return service.pictures


def asked(work: Callable[[], T]) -> T:
    """What a call of the code store gives.

    Raises:
        RefusedError: 503 or 507, it does not take what is written; 409, a write of this name was another one.
        StoreUnavailableError: it does not answer as it should; what it says of the collection is for the log.
    """
    try:
        return work()
    except NoPermissionError:
        raise RefusedError(
            503,
            "unavailable",
            "this service may only read its code store: give TAXOHASH_REDIS_URL an account that may write",
            {"Retry-After": "60"},
        ) from None
    except FullError:
        raise RefusedError(
            507,
            "full",
            "the code store has no room left: delete items, or have its operator give it more",
            {"Retry-After": "60"},
        ) from None
    except OtherWriteError:
        raise RefusedError(
            409,
            "repeated",
            "this Idempotency-Key came with another request for this item: give each request a key of its own",
        ) from None
    except StoreUnavailableError:
        raise
    except StaleError:
        raise unavailable("the collection was made anew: try again in a few seconds") from None
    except TaxohashError as error:
        raise StoreUnavailableError(str(error)) from None
