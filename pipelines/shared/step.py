"""What every step does alike: end with one line where the user can put something right."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

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
