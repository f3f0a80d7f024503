"""Time that passes only while everybody waits: hours of timeouts in no time, and the same at every run."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Does not wait: lets the time of a loop jump instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("everybody waits, and nothing is ever going to happen")
        if not found and timeout:
            self.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run what waits for time and for itself, and for nothing else."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work())


def now() -> float:
    """Seconds since the beginning."""
    return asyncio.get_running_loop().time()
