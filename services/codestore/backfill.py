"""Codes for items that came without: what a generation lacks is read, encoded and put, a few pictures at a time.

It can be stopped at any time and goes on where it was, as what is done is no longer lacking. A code counts only for the picture
that it was made of; of an item that was changed, deleted or put again meanwhile nothing is written.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.codestore.connection import StoreUnavailableError
from services.codestore.records import Lacking
from services.codestore.store import CodeStore
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown

Codes = npt.NDArray[np.uint8]

TOGETHER = 64  # pictures in memory at once
_READERS = 8
_UNANSWERED = 64  # pictures one after the other of which no place answers: not the pictures' fault
_TOLD = 20  # failures that are told one by one


@dataclass(frozen=True)
class Backfilled:
    """What became of the items that lacked a code.

    Attributes:
        coded: have one now.
        overtaken: were changed or deleted meanwhile.
        failed: have a picture that could not be read or encoded.
    """

    coded: int = 0
    overtaken: int = 0
    failed: int = 0

    def __add__(self, other: "Backfilled") -> "Backfilled":
        return Backfilled(
            self.coded + other.coded, self.overtaken + other.overtaken, self.failed + other.failed
        )

    @property
    def total(self) -> int:
        """Items that were looked at."""
        return self.coded + self.overtaken + self.failed


def backfill(
    store: CodeStore,
    collection: str,
    generation_id: str,
    read: Callable[[Lacking], bytes],
    encode: Callable[[Sequence[bytes]], Codes],
    *,
    told: Callable[[str], None] = lambda _text: None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Backfilled:
    """Encode each item that a generation lacks the code of, once. One picture that is bad stops nothing: it is told and passed over.

    Args:
        read: the picture of an item, as PictureSources.read; called by several threads.
        encode: uint8[N, ceil(bits/8)] of N pictures; raises TaxohashError where one of them is none.
        told: called with a line for each of the first failures.
        progress: called with how many items were looked at.

    Raises:
        StoreUnavailableError: the code store does not answer as it should, or no place that pictures are in does.
    """
    done = Backfilled()
    unanswered = 0
    with ThreadPoolExecutor(_READERS) as readers:
        for items in _parts(store.lacking(collection, generation_id)):
            pictures: list[tuple[Lacking, bytes]] = []
            failed: list[tuple[Lacking, TaxohashError]] = []
            for item, found in zip(items, readers.map(lambda item: _tried(read, item), items), strict=True):
                unanswered = unanswered + 1 if isinstance(found, StoreUnavailableError) else 0
                if unanswered == _UNANSWERED:
                    assert isinstance(found, StoreUnavailableError)
                    raise found
                if isinstance(found, bytes):
                    pictures.append((item, found))
                else:
                    failed.append((item, found))
            coded, codes, undecoded = _encoded(pictures, encode)
            failed += undecoded
            for item, error in failed[: max(_TOLD - done.failed, 0)]:
                told(f"item {shown(item.id)} is passed over: {error}")
            written = 0
            if coded:
                ids, revisions = [item.id for item in coded], [item.revision for item in coded]
                written = store.put_codes(collection, generation_id, ids, codes, revisions).count("coded")
            done += Backfilled(written, len(coded) - written, len(failed))
            progress(done.total)
    return done


def _parts(pages: Iterator[list[Lacking]]) -> Iterator[list[Lacking]]:
    for page in pages:
        for first in range(0, len(page), TOGETHER):
            yield page[first : first + TOGETHER]


def _tried(read: Callable[[Lacking], bytes], item: Lacking) -> bytes | TaxohashError:
    try:
        return read(item)
    except TaxohashError as error:
        return error


def _encoded(
    pictures: list[tuple[Lacking, bytes]], encode: Callable[[Sequence[bytes]], Codes]
) -> tuple[list[Lacking], Codes, list[tuple[Lacking, TaxohashError]]]:
    """Items with their codes, and those whose picture is none; of several together it is not known which, so each is tried."""
    items = [item for item, _ in pictures]
    if not items:
        return [], np.empty((0, 0), np.uint8), []
    try:
        return items, encode([data for _, data in pictures]), []
    except TaxohashError as error:
        if len(items) == 1:
            return [], np.empty((0, 0), np.uint8), [(items[0], error)]
    parts = [_encoded([picture], encode) for picture in pictures]
    coded = [item for own, _, _ in parts for item in own]
    failed = [failure for _, _, own in parts for failure in own]
    codes = [own for found, own, _ in parts if found]
    return coded, np.concatenate(codes) if codes else np.empty((0, 0), np.uint8), failed
