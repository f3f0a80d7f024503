"""From layout 3 to layout 4, in one server, while pods of both releases run.

1. Stop what writes with the release before: the index step of its pipelines. Its pods go on serving.
2. `upgrade` copies the collection: the generation that is served, the one that a roll-back goes to, and those that are being
   built. What was cut short goes on when it is called again: a segment that was copied and not written since is passed over.
3. Roll the pods.
4. `finish` removes the old keys.

An item keeps its id, labels (numbers of version 1 are the indices), tags and URI; its thumbnail goes to the store of pictures. Its
time of change becomes that of the upgrade. It belongs to the data set. An item that has no code in any generation that is copied
becomes a member of the one that is being built last; where none is, it becomes one of the API's, which wait for their code.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from services.codestore.pictures import Pictures
from services.codestore.records import GenerationRef, Item
from services.codestore.upgrade.layout3 import (
    Codes,
    Commands,
    Layout3,
    NothingOldError,
    OldBatch,
    OldItem,
    pairs,
)
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

Progress = Callable[[int, int], None]


class Begun(Protocol):
    """A generation as the new store tells it."""

    @property
    def ref(self) -> GenerationRef: ...
    @property
    def state(self) -> str: ...


class Target(Protocol):
    """What is needed of the store that writes layout 4."""

    def create(self, collection: str, taxonomy: Taxonomy, segments: int) -> object: ...
    def generations(self, collection: str) -> Sequence[Begun]: ...
    def begin(self, collection: str, ref: GenerationRef) -> object: ...
    def fill(
        self, collection: str, generation_id: str, items: Sequence[Item], codes: Codes | None
    ) -> object: ...
    def upsert(self, collection: str, items: Sequence[Item]) -> object: ...
    def seal(self, collection: str, generation_id: str) -> object: ...
    def publish(self, collection: str, generation_id: str, *, who: str, why: str) -> object: ...


def upgrade(
    commands: Commands,
    target: Target,
    pictures: Pictures,
    collection: str,
    progress: Progress = lambda done, rows: None,
    who: str = "",
) -> None:
    """Copy a collection of layout 3 into layout 4, and publish there what is published here.

    Args:
        pictures: takes the thumbnails.
        progress: is told how many rows are done, and of how many.
        who: publishes, for the audit.

    Raises:
        TaxohashError: there is no such collection, or an old writer changed it once the copy was published.
        StoreUnavailableError: a server does not answer as it should: call it again, and it goes on.
    """
    old = Layout3.open(commands, collection)
    record = _Record(commands, collection)
    if record.is_complete():  # what happened to the copy since must not be undone
        _require_unchanged(old, record)
        return
    chosen = [ref for ref in old.generations if ref.id not in old.history[2:]]
    target.create(collection, old.taxonomy, old.segments)
    for ref in chosen:
        target.begin(collection, ref)
    states = {begun.ref.id: begun.state for begun in target.generations(collection)}
    published = list(reversed(old.history[:2]))
    if all(states[name] == "building" for name in published):
        building = [ref.id for ref in chosen if states[ref.id] == "building"]
        _copy(old, target, pictures, building, record, progress)
    for name in published:
        if states[name] == "building":
            target.seal(collection, name)
        if states[name] in ("building", "sealed"):
            target.publish(collection, name, who=who, why="upgraded from layout 3")
    _adopt(old, target, pictures, [ref.id for ref in chosen], record)
    record.set_complete()
    _require_unchanged(old, record)


def finish(commands: Commands, target: Target, collection: str, *, give_up_changes: bool = False) -> int:
    """Remove the keys of layout 3, one at a time, after the pods of the release before are gone; how many were there.

    Cut short, it goes on when it is called again.

    Args:
        give_up_changes: also where the old collection was written since it was copied.

    Raises:
        NothingOldError: nothing of layout 3 is there.
        TaxohashError: there is no copy, it is not complete, or the old collection was written since.
    """
    record = _Record(commands, collection)
    try:
        old = Layout3.open(commands, collection)
    except NothingOldError:
        record.remove()
        raise
    target.generations(collection)  # there is no copy where this fails
    if not record.is_removing():
        if not record.is_complete():
            raise TaxohashError(f"collection {collection!r} is not upgraded to its end: upgrade it first")
        if not give_up_changes:
            _require_unchanged(old, record)
        record.set_removing()
    removed = sum(int(commands.command("UNLINK", key, key=key)) for key in old.all_keys())
    record.remove()
    return removed


def _copy(
    old: Layout3,
    target: Target,
    pictures: Pictures,
    generations: Sequence[str],
    record: "_Record",
    progress: Progress,
) -> None:
    """Fill the generations with every segment, again and again until none was written meanwhile."""
    while True:
        copied = record.segments()
        segments = [old.segment(number) for number in range(old.segments)]
        rows = sum(segment.rows for segment in segments)
        done = 0
        for number, segment in enumerate(segments):
            if number not in copied or copied[number].position != segment.position:
                left = 0
                for batch in old.batches(number, segment.rows):
                    left += _fill(old.name, target, pictures, batch, generations)
                    done += len(batch.items)
                    progress(done, rows)
                record.set(number, _Copied(segment.position, left))
            else:
                done += segment.rows
        progress(rows, rows)
        if all(
            copied.get(number, _NEVER).position == segment.position for number, segment in enumerate(segments)
        ):
            return


def _fill(
    collection: str, target: Target, pictures: Pictures, batch: OldBatch, generations: Sequence[str]
) -> int:
    """Fill the generations with a batch; how many of its items none has."""
    items = _new_items(batch.items, pictures)
    for name in generations:
        coded = np.flatnonzero(batch.coded[name])
        if len(coded):
            target.fill(collection, name, [items[i] for i in coded], batch.codes[name][coded])
    return len(_left(batch, generations))


def _left(batch: OldBatch, generations: Sequence[str]) -> list[OldItem]:
    """The items that no generation has."""
    found = np.zeros(len(batch.items), bool)
    for name in generations:
        found |= batch.coded[name]
    return [batch.items[i] for i in np.flatnonzero(~found)]


def _adopt(
    old: Layout3, target: Target, pictures: Pictures, generations: Sequence[str], record: "_Record"
) -> None:
    """Bring the items along that no generation has, once: what happens to them later must not be undone."""
    building = [name for name in generations if name not in old.history]
    for number, copied in record.segments().items():
        if copied.left:
            for batch in old.batches(number, old.segment(number).rows):
                items = _new_items(_left(batch, generations), pictures)
                if items and building:
                    target.fill(old.name, building[-1], items, None)
                elif items:
                    target.upsert(old.name, items)
            record.set(number, _Copied(copied.position, 0))


def _new_items(items: Sequence[OldItem], pictures: Pictures) -> list[Item]:
    thumbnails: Iterator[str] = iter(pictures.put_many(item.thumbnail for item in items if item.thumbnail))
    return [_new_item(item, next(thumbnails) if item.thumbnail else "") for item in items]


def _new_item(item: OldItem, thumbnail: str) -> Item:
    return Item(item.id, item.labels, uri=item.uri, thumbnail=thumbnail, tags=item.tags)


def _require_unchanged(old: Layout3, record: "_Record") -> None:
    copied = record.segments()
    changed = [
        number
        for number in range(old.segments)
        if copied.get(number, _NEVER).position != old.segment(number).position
    ]
    if changed:
        raise TaxohashError(
            f"{len(changed)} of {old.segments} segments of collection {old.name!r} were written by the release before"
            " after they were copied: run the pipeline that wrote them with this release, then give up the changes"
        )


@dataclass(frozen=True)
class _Copied:
    """A segment as it was copied: its position, and how many items of it are to be adopted."""

    position: int
    left: int


_NEVER = _Copied(-1, 0)


class _Record:
    """How far the upgrade is: a hash beside the collection, segment -> "position left"."""

    def __init__(self, commands: Commands, collection: str) -> None:
        self._commands = commands
        self._key = f"taxohash:{{{collection}}}:upgrade"

    def segments(self) -> dict[int, _Copied]:
        """Those that were copied."""
        found = pairs(self._ask("HGETALL"))
        return {int(name): _Copied(*map(int, value.split())) for name, value in found if name.isdigit()}

    def set(self, segment: int, copied: _Copied) -> None:
        """A segment was copied."""
        self._ask("HSET", segment, f"{copied.position} {copied.left}")

    def is_complete(self) -> bool:
        """Whether all is copied and published."""
        return bool(self._ask("HEXISTS", "complete"))

    def set_complete(self) -> None:
        """All is."""
        self._ask("HSET", "complete", 1)

    def is_removing(self) -> bool:
        """Whether the removal of the old keys was begun: what it has left tells nothing any more."""
        return bool(self._ask("HEXISTS", "removing"))

    def set_removing(self) -> None:
        """It begins."""
        self._ask("HSET", "removing", 1)

    def remove(self) -> None:
        """All is done."""
        self._ask("UNLINK")

    def _ask(self, command: str, *values: str | int) -> Any:
        return self._commands.command(command, self._key, *values, key=self._key)
