"""SIGTERM as an exception, so that what a command has begun is ended in order."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM, as of a supervisor that cancels; Ctrl-C is the class above."""


@contextmanager
def terminable() -> Iterator[None]:
    """Have SIGTERM raise `Terminated` in here. Only a program's main thread hears of signals: in others nothing changes."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
