"""What every step does alike: end with one line where the user can put something right, and find the stores."""

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from services.codestore import CodeStore
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable

P = ParamSpec("P")
R = TypeVar("R")


def step(function: Callable[P, R]) -> Callable[P, R]:
    """End the step's process with one line where the user can put something right."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TaxohashError as error:
            print(f"error: {printable(error)}", flush=True)
            sys.exit(2)

    return run


def code_store() -> CodeStore:
    """Connected to what TAXOHASH_REDIS_URL names.

    Raises:
        TaxohashError: it is not set, or nothing answers there.
    """
    url = os.environ.get("TAXOHASH_REDIS_URL")
    if not url:
        raise TaxohashError(
            "TAXOHASH_REDIS_URL is not set: give the address of the code store in the environment"
        )
    return CodeStore.connect(url)
