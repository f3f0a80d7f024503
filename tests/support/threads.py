"""Work that is done at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def at_once(works: Sequence[Callable[[], None]], stop: Callable[[], None]) -> None:
    """Do each in a thread of its own; when one fails, the others are told to stop, and its error is raised."""

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            stop()
            raise

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(guarded, work) for work in works]:
            done.result()
