"""What every step does alike: tell when it starts and ends, and end with one line where the user can put something right."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pipelines.shared.events import tell
from taxohash.errors import TaxohashError
from taxohash.runtime.provenance import started_as
from taxohash.runtime.terminal import printable

P = ParamSpec("P")
R = TypeVar("R")


def step(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function the body of the pipeline's step of this name, which is a process of its own."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            tell(name, "started")
            try:
                with started_as(f"taxohash pipeline: step {name}"):
                    result = function(*args, **kwargs)
            except TaxohashError as error:
                tell(name, "failed", printable(error))
                print(f"error: {printable(error)}", flush=True)
                sys.exit(2)
            except BaseException as error:
                tell(name, "failed", printable(f"{type(error).__name__}: {error}"))
                raise
            tell(name, "ended")
            return result

        return run

    return decorate
