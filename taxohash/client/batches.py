"""An upload as batches, and what became of it. Nothing is sent here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from taxohash.client.answers import BatchResult, Refusal
from taxohash.client.calls import MOST_BYTES
from taxohash.client.errors import BusyError, RequestRefusedError
from taxohash.client.journal import Journal
from taxohash.client.uploads import Loaded, Upload
from taxohash.errors import TaxohashError

MOST_ITEMS = 64  # of one request
_MOST_TEXTS = 1000  # labels and tags of one request: below what the service reads of one


@dataclass(frozen=True)
class Uploaded:
    """What became of an upload.

    Attributes:
        put: items that were put now.
        before: items that the journal had already.
        refused: ids of others, and why.
    """

    put: int
    before: int
    refused: dict[str, Refusal]


class Batches:
    """The batches of an upload, one after the other as they are asked for, and the sum of what became of them."""

    def __init__(self, items: Iterable[Upload], journal: Journal | None, url: str) -> None:
        self._items, self._journal, self._url = items, journal, url
        self._seen: set[str] = set()
        self._put = self._before = 0
        self._refused: dict[str, Refusal] = {}

    @property
    def done(self) -> int:
        """Items of which is known what became."""
        return self._put + self._before + len(self._refused)

    @property
    def uploaded(self) -> Uploaded:
        """The sum."""
        return Uploaded(self._put, self._before, self._refused)

    def __iter__(self) -> Iterator[list[Loaded]]:
        batch: list[Loaded] = []
        size = texts = 0
        for item in self._wanted():
            own, said = len(item.picture or b""), len(item.labels) + len(item.tags)
            is_full = len(batch) == MOST_ITEMS or size + own > MOST_BYTES or texts + said > _MOST_TEXTS
            if batch and is_full:
                yield batch
                batch, size, texts = [], 0, 0
            batch.append(item)
            size += own
            texts += said
        if batch:
            yield batch

    def take(self, batch: Sequence[Loaded], results: Sequence[BatchResult]) -> None:
        """What became of a batch: what was put goes to the journal.

        Raises:
            BusyError, RequestRefusedError: the service cannot take items now; what it took is in the journal.
        """
        if self._journal is not None:
            self._journal.add(item for item, result in zip(batch, results, strict=True) if result.put)
        for result in results:
            if result.problem is None:
                self._put += 1
            elif result.status < 500 and result.status != 429:
                self._refused[result.id] = result.problem.refusal
        for result in results:
            if result.problem is not None and (result.status >= 500 or result.status == 429):
                kind = BusyError if result.status in (429, 503) else RequestRefusedError
                raise kind(
                    f"{self._url} does not take item {result.id!r} ({result.status}): {result.problem.detail}",
                    result.status, result.problem.refusal.reason, "",
                )  # fmt: skip

    def _wanted(self) -> Iterator[Loaded]:
        """Items that are not put yet, with their pictures."""
        for item in self._items:
            if item.id in self._seen:
                raise TaxohashError(f"item id {item.id!r} is given twice: give each once")
            self._seen.add(item.id)
            try:
                loaded = item.load()
            except TaxohashError as error:
                self._refused[item.id] = Refusal(0, "item", str(error))
                continue
            if self._journal is not None and self._journal.has(loaded):
                self._before += 1
            else:
                yield loaded
