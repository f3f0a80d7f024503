"""Generations: begun, sealed, published, taken back, removed; and who holds them."""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.codestore.checksums import CATALOG_KINDS
from services.codestore.collection import STEP_BLOCKS, Collection
from services.codestore.keys import backfill_key, check_name, collection_keys, lease_key, quarantine_key
from services.codestore.quarantine import Quarantine
from services.codestore.records import GenerationRef, GenerationState, Pointer
from services.codestore.wire import BLOCK
from taxohash.errors import TaxohashError

_PAUSE = 0.05  # seconds between two looks for lacking codes
_LOOSE = 8  # a segment is packed when more than one of so many rows is free
_WRITER_SECONDS = 7 * 86_400  # a write that is sent again later than that is applied again
_MOST_SECONDS = 366 * 86_400
_MOVES = 16  # rows moved by one call


@dataclass(frozen=True)
class SegmentTally:
    """What a segment counts. Of each generation: members and codes; sums of checksums by kind (see lua/fields.lua).

    Attributes:
        blocks: of 74 rows.
        states: of generations in the segment; see lua/upkeep.lua.
        sums: "names", "catalog", "deleted", and each generation; "" is that of the API's own items.
    """

    position: int
    items: int
    deleted: int
    blocks: int
    members: dict[str, int]
    codes: dict[str, int]
    sums: dict[str, int]
    states: dict[str, str]


@dataclass(frozen=True)
class CollectionState:
    """What `taxohash store status` tells.

    Attributes:
        deleted: ids of data sets that were deleted by hand.
        leases: seconds left of each (generation, process).
    """

    name: str
    segments: int
    items: int
    deleted: int
    positions: tuple[int, ...]
    history: tuple[str, ...]
    generations: tuple[GenerationState, ...]
    leases: dict[tuple[str, str], float]


@dataclass(frozen=True)
class AuditEntry:
    """Who moved the pointer, or removed a generation: when (Unix time in seconds), from, to and why."""

    when: float
    operation: str
    previous: str
    generation: str
    who: str
    why: str


@dataclass(frozen=True)
class Collected:
    """What `gc` has removed: generations, items that no generation has any more, and rows that were moved to pack segments."""

    generations: tuple[str, ...]
    items: int
    moved: int


class Generations(Quarantine):
    """The generations of a collection and the pointer to the published one."""

    def begin(self, collection: str, ref: GenerationRef) -> None:
        """Start building a generation: the items of the API are members of it. Repeated, it goes on where it, filling or sealing was
        interrupted.

        Raises:
            TaxohashError: the id is another hasher's, or its taxonomy is no version of the collection's.
        """
        if check_name("generation id", ref.id) in CATALOG_KINDS:
            raise TaxohashError(f"generation id {ref.id!r} is a word of the store's own: choose another")
        if isinstance(ref.bits, bool) or not isinstance(ref.bits, int) or not 1 <= ref.bits <= 4096:
            raise TaxohashError(f"generation {ref.id!r} has {ref.bits} bits: choose 1 to 4096")

        def work(opened: Collection) -> None:
            opened.labels.version_of(ref.taxonomy_sha256)
            if self._call(opened.call("begin", ref.id, f"{ref.bits} {ref.taxonomy_sha256}")):
                self._steps(opened, "begin_segment", ref.id, ref.bits)

        self._collections.pop(collection, None)  # its taxonomy may have grown since
        self._use(collection, work)

    def seal(self, collection: str, generation_id: str, members: int | None = None) -> None:
        """A generation that is built takes no more items of its data version; what it holds is counted and summed.

        Args:
            members: how many items of the data version it must have.

        Raises:
            TaxohashError: it has another number of them.
        """

        def work(opened: Collection) -> None:
            known = self._status(opened).known(generation_id)
            tallies = self.tallies(collection)
            if known.state == "dropping":
                raise TaxohashError(
                    f"generation {generation_id!r} is being discarded: discard it again to finish, then begin it"
                )
            if any(tally.states.get(generation_id, "beginning") == "beginning" for tally in tallies):
                raise TaxohashError(f"generation {generation_id!r} is not begun to its end: begin it again")
            own = sum(tally.members[generation_id] - tally.members[""] for tally in tallies)
            if members is not None and own != members:
                raise TaxohashError(
                    f"generation {generation_id!r} has {own} items of its data version, not {members}: fill it again, then seal it"
                )
            counted = {
                "positions": [tally.position for tally in tallies],
                "members": sum(tally.members[generation_id] for tally in tallies),
                "sums": [tally.sums[generation_id] for tally in tallies],
            }
            if known.state == "building":
                self._call_all(opened.everywhere("mark_segment", generation_id, "live"))
            self._call(opened.call("seal", generation_id, json.dumps(counted)))

        self._use(collection, work)

    def publish(
        self,
        collection: str,
        generation_id: str,
        *,
        who: str = "",
        why: str = "",
        wait: float = 0.0,
        instead_of: str | None = None,
    ) -> str | None:
        """Serve this generation from now on; the one that was served before it, or None.

        Waits until each item that was there when this was called has its code in it; of those that came since, a backfill
        goes on bringing them. Items whose picture is nowhere, or in quarantine, are not waited for.

        Args:
            who, why: kept in the audit.
            wait: seconds.
            instead_of: the generation that must be published until then, "" for none; whichever is if left out.

        Raises:
            TaxohashError: codes still lack after that time; it is not sealed; or another one was published meanwhile.
        """
        if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= _MOST_SECONDS:
            raise TaxohashError(f"a publish cannot wait {wait!r} seconds: give 0 to {_MOST_SECONDS}")
        request = secrets.token_hex(16)

        def work(opened: Collection) -> str | None:
            status = self._status(opened)
            status.known(generation_id)
            current = status.history[0] if status.history else ""
            if current == generation_id:
                return status.history[1] if len(status.history) > 1 else None
            replaced = current if instead_of is None else instead_of
            if replaced != current:
                raise TaxohashError(
                    f"generation {current or 'none'} is published in {collection!r}, not {replaced or 'none'}: look, then do it again"
                )
            self._revive(opened, generation_id)
            self._await_codes(opened, generation_id, time.monotonic() + wait)
            self._point(opened, request, "publish", replaced, generation_id, who, why)
            return replaced or None

        return self._use(collection, work)

    def rollback(self, collection: str, *, who: str = "", why: str = "") -> str:
        """Serve the generation published before the current one again, at once; its id."""
        request = secrets.token_hex(16)

        def work(opened: Collection) -> str:
            history = self._status(opened).history
            if len(history) < 2:
                current = f"only {history[0]!r}" if history else "nothing"
                raise TaxohashError(
                    f"collection {collection!r} has {current} published: there is none to roll back to"
                )
            self._revive(opened, history[1])
            self._point(opened, request, "rollback", history[0], history[1], who, why)
            return history[1]

        return self._use(collection, work)

    def published(self, collection: str) -> GenerationRef | None:
        """The generation that is served, or None."""
        return self.pointer(collection).generation

    def pointer(self, collection: str) -> Pointer:
        """What is published, and from which positions on it is whole."""

        def work(opened: Collection) -> Pointer:
            status = self._status(opened)
            ref = status.known(status.history[0]).ref if status.history else None
            return Pointer(opened.incarnation, ref, status.positions)

        return self._use(collection, work)

    def history(self, collection: str) -> list[str]:
        """Published generations, the current one first: the way that rollback goes."""
        return list(self._use(collection, self._status).history)

    def generations(self, collection: str) -> list[GenerationState]:
        """All generations, the oldest first."""
        return list(self.state(collection).generations)

    def state(self, collection: str) -> CollectionState:
        """Items, generations, leases and positions."""

        def work(opened: Collection) -> CollectionState:
            status, tallies, leases = self._status(opened), self.tallies(collection), self.leases(collection)
            unreached = {
                name
                for tally in tallies
                for name, state in tally.states.items()
                if state in ("retired", "dropping")
            }
            members = {
                name: sum(tally.members.get(name, 0) for tally in tallies) for name in status.generations
            }
            codes = {name: sum(tally.codes.get(name, 0) for tally in tallies) for name in status.generations}
            return CollectionState(
                name=collection,
                segments=opened.segments,
                items=sum(tally.items for tally in tallies),
                deleted=sum(tally.deleted for tally in tallies),
                positions=tuple(tally.position for tally in tallies),
                history=status.history,
                generations=tuple(
                    GenerationState(
                        ref=known.ref,
                        state=known.state,
                        created=known.created,
                        members=members[name],
                        codes=codes[name],
                        live=name not in unreached,
                        quarantined=self._quarantined_of(opened, name, members[name] - codes[name]),
                    )
                    for name, known in status.generations.items()
                ),
                leases=leases,
            )

        return self._use(collection, work)

    def _quarantined_of(self, opened: Collection, generation_id: str, lacking: int) -> int:
        return min(self._quarantined_count(opened, generation_id), lacking) if lacking else 0

    def count(self, collection: str, generation_id: str | None = None) -> int:
        """Items in the catalogue, or those of them with a code in a generation."""
        if generation_id is None:
            return sum(tally.items for tally in self.tallies(collection))
        self._use(collection, self._status).known(generation_id)
        return sum(tally.codes.get(generation_id, 0) for tally in self.tallies(collection))

    def tallies(self, collection: str) -> list[SegmentTally]:
        """What each segment counts."""

        def work(opened: Collection) -> list[SegmentTally]:
            return [_tally(reply) for reply in self._call_all(opened.everywhere("tally", read_only=True))]

        return self._use(collection, work)

    def audit(self, collection: str, most: int = 100) -> list[AuditEntry]:
        """The last moves of the pointer and removals, the newest first."""
        opened = self._use(collection, lambda opened: opened)
        _, key = collection_keys(opened.name)
        entries = self._connection.command("XREVRANGE", key, "+", "-", "COUNT", most, key=key)
        found = []
        for name, flat in entries:
            fields = {flat[i].decode(): flat[i + 1].decode(errors="replace") for i in range(0, len(flat), 2)}
            found.append(
                AuditEntry(
                    int(name.split(b"-")[0]) / 1000,
                    fields["operation"],
                    fields["from"],
                    fields["to"],
                    fields["who"],
                    fields["why"],
                )
            )
        return found

    # -- leases ----------------------------------------------------------------------------------------

    def lease(self, collection: str, generation_id: str, process: str, seconds: float) -> None:
        """Keep a generation from `gc` for so long from now, in the name of a process; again to renew it."""
        check_name("process", process)
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0 <= seconds <= _MOST_SECONDS
        ):
            raise TaxohashError(
                f"generation {generation_id!r} cannot be leased for {seconds!r} seconds: give 0 to {_MOST_SECONDS}"
            )
        key = lease_key(check_name("collection", collection))
        until = int((self._now(key) + seconds) * 1000)
        self._connection.command(
            "ZADD", key, until, f"{check_name('generation id', generation_id)} {process}", key=key
        )

    def release(self, collection: str, generation_id: str, process: str) -> None:
        """Give a lease back."""
        key = lease_key(check_name("collection", collection))
        self._connection.command("ZREM", key, f"{generation_id} {process}", key=key)

    def leases(self, collection: str) -> dict[tuple[str, str], float]:
        """Seconds left of each lease, by generation and process."""
        key = lease_key(check_name("collection", collection))
        now = self._now(key)
        found = {}
        for member in self._connection.command("ZRANGEBYSCORE", key, int(now * 1000), "+inf", key=key):
            until = float(self._connection.command("ZSCORE", key, member, key=key) or 0) / 1000
            generation_id, process = member.decode().split(" ")
            found[generation_id, process] = until - now
        return found

    # -- removal ---------------------------------------------------------------------------------------

    def discard(self, collection: str, generation_id: str, *, who: str = "", why: str = "") -> None:
        """Delete a generation's codes; never those of the published one. Interrupted, it can be called again."""
        check_name("generation id", generation_id)

        def work(opened: Collection) -> None:
            self._call(opened.call("discard", generation_id, who, why))
            self._steps(opened, "drop", generation_id)
            self._call(opened.call("forget", generation_id))
            quarantine, backfill = quarantine_key(collection, generation_id), backfill_key(collection)
            self._connection.command("UNLINK", quarantine, key=quarantine)
            for field in ("progress", "trying"):
                self._connection.command("HDEL", backfill, f"{field}:{generation_id}", key=backfill)

        self._use(collection, work)

    def gc(
        self, collection: str, *, who: str = "gc", told: Callable[[str], None] = lambda _text: None
    ) -> Collected:
        """Remove generations that were published before the last two and that nobody leases, items of data sets that are in no
        generation any more, and the room that these leave; in steps of about a millisecond of the server's time.

        Args:
            told: called with a line before each part.
        """

        def work(opened: Collection) -> Collected:
            self._retire(opened)
            status = self._status(opened)
            live = status.live(name for name, _ in self.leases(collection))
            dead = [name for name in status.generations if name not in live]
            for name in dead:
                told(f"dropping generation {name}")
                self.discard(collection, name, who=who, why="no longer served")
            told("removing items that are in no generation")
            removed = sum(self._sweep(opened, segment) for segment in range(opened.segments))
            for name in status.generations.keys() - set(dead):
                self._steps(opened, "fold", name)
            told("packing segments")
            moved = 0
            for segment, tally in enumerate(self.tallies(collection)):
                if (tally.blocks * BLOCK - tally.items) * _LOOSE > tally.blocks * BLOCK:
                    moved += self._compact(opened, segment)
            self._forget_writers(opened)
            return Collected(tuple(dead), removed, moved)

        return self._use(collection, work)

    def _sweep(self, opened: Collection, segment: int) -> int:
        block = removed = 0
        while block != -1:
            block, count = self._call(opened.on(segment, "sweep", block, STEP_BLOCKS))
            removed += count
        return removed

    def _compact(self, opened: Collection, segment: int) -> int:
        moved = 0
        while step := self._call(opened.on(segment, "compact", _MOVES)):
            moved += step
        return moved

    def _forget_writers(self, opened: Collection) -> None:
        for segment in range(opened.segments):
            key = opened.on(segment, "").keys[2]
            before, cursor = int((self._now(key) - _WRITER_SECONDS) * 1e6), b"0"
            while True:
                cursor, flat = self._connection.command("HSCAN", key, cursor, "COUNT", 500, key=key)
                names = [name for name in flat[::2] if name]
                if names:
                    joined = b"".join(name + b"\xff" for name in names)
                    self._call(opened.on(segment, "forget_writers", before, joined))
                if cursor == b"0":
                    break

    # -- the pointer -----------------------------------------------------------------------------------

    def _await_codes(self, opened: Collection, generation_id: str, deadline: float) -> None:
        """Return when each item of now has its code."""
        positions = [tally.position for tally in self.tallies(opened.name)]
        open_segments = list(range(opened.segments))
        while True:
            lacks = {
                segment: self._lacks(opened, generation_id, segment, positions[segment])
                for segment in open_segments
            }
            open_segments = [segment for segment, count in lacks.items() if count]
            if not open_segments:
                return
            if time.monotonic() >= deadline:
                total = self.count(opened.name)
                raise TaxohashError(
                    f"generation {generation_id!r} lacks the codes of {sum(lacks.values())} of the {total} items"
                    f" in {opened.name!r}: run a backfill, or put their codes"
                )
            time.sleep(_PAUSE)

    def _lacks(self, opened: Collection, generation_id: str, segment: int, position: int) -> int:
        """How many of the items whose picture was set up to this position lack their code, and a backfill could bring it."""
        tally = _tally(self._call(opened.on(segment, "tally", read_only=True)))
        if tally.members.get(generation_id, 0) == tally.codes.get(generation_id, 0):
            return 0
        return self._lack(opened, generation_id, segment, position).waiting

    def _point(
        self,
        opened: Collection,
        request: str,
        operation: Literal["publish", "rollback"],
        current: str,
        generation_id: str,
        who: str,
        why: str,
    ) -> None:
        positions = " ".join(str(tally.position) for tally in self.tallies(opened.name))
        self._call(opened.call("point", request, operation, current, generation_id, positions, who, why))
        self._retire(opened)

    def _retire(self, opened: Collection) -> None:
        """Tell the segments which generations writes no longer reach, so that these do no work for them."""
        told, status = None, self._status(opened)
        while status != told:  # the pointer may be moved meanwhile, and what was told be wrong
            told = status
            live = status.live(name for name, _ in self.leases(opened.name))
            for name, known in status.generations.items():
                if name in live and known.state in ("published", "retired"):
                    self._revive(opened, name)
                elif known.state == "retired":
                    self._call_all(opened.everywhere("mark_segment", name, "retired"))
            status = self._status(opened)

    def _revive(self, opened: Collection, generation_id: str) -> None:
        """Let writes reach a generation again, and give it what it has missed; nothing where they reach it."""
        self._steps(opened, "revive", generation_id)

    def _now(self, key: str) -> float:
        seconds, microseconds = self._connection.command("TIME", key=key)
        return int(seconds) + int(microseconds) / 1e6


def _tally(reply: Sequence[Any]) -> SegmentTally:
    position, items, deleted, names, catalog, buried, blocks, *generations = reply
    sums = {"names": names, "catalog": catalog, "deleted": buried}
    members, codes, states = {}, {}, {}
    for name, _bits, state, own, coded, total in generations:
        states[name.decode()] = state.decode()
        members[name.decode()], codes[name.decode()], sums[name.decode()] = own, coded, total
    return SegmentTally(position, items, deleted, blocks, members, codes, sums, states)
