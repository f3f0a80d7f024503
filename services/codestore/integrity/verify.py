"""Whether a collection is whole: its bytes against its own checksums and counts, and against serving processes and backups.

Nothing is changed, and nothing has to stand still: each segment is looked at as it is at one position.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.codestore.checksums import (
    API_ITEMS,
    CATALOG,
    CODED,
    LABEL_SET,
    MEMBER,
    NAMES,
    NO_BLOCK,
    OWN_RECORD,
    added,
    as_followed,
    digest,
    kind_of,
)
from services.codestore.collection import Collection, Status
from services.codestore.connection import StaleError, StoreUnavailableError, TryAgainError
from services.codestore.image import Page, SegmentState
from services.codestore.store import CodeStore
from services.codestore.wire import BLOCK, NO_LABEL
from taxohash.errors import TaxohashError

INDEX, COUNTS, POSITION, SEGMENT, COLLECTION = "index", "counts", "position", "segment", "collection"
_ALIVE = 1
HELD_STATES = ("beginning", "building", "live", "retired", "reviving")
_FIRST = 3  # blocks that are named


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        segment: None where it is the collection's own.
        kind: what it is about: names, catalog, deleted, a generation by its id ("" for the items of the API), index, counts,
            position, segment or collection. Index and counts follow from the others and can be made anew.
    """

    segment: int | None
    kind: str
    text: str

    def __str__(self) -> str:
        where = "collection" if self.segment is None else f"segment {self.segment}"
        what = {API_ITEMS: "items of the API"}.get(self.kind, self.kind)
        return f"{where}, {what}: {self.text}"


@dataclass(frozen=True)
class Copy:
    """What another side says of the same segments: a serving process, or a backup.

    Attributes:
        source: for messages.
        positions: of each segment, at which the sums are taken.
        sums: of each segment, by kind.
        is_whole: whether the sums of generations count all of their fields; a serving process has less (see
            `checksums.generation_sum`).
    """

    source: str
    incarnation: str
    positions: tuple[int, ...]
    sums: tuple[Mapping[str, int], ...]
    is_whole: bool


@dataclass(frozen=True)
class Report:
    """What was looked at, and what was found.

    Attributes:
        positions: of the segments, when each was looked at; -1 of one that is lost.
        notes: what could not be compared, and why.
    """

    collection: str
    published: str | None
    positions: tuple[int, ...]
    items: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def exit_status(self) -> int:
        """0 where all is well, else 1."""
        return int(bool(self.findings))

    def hits(self, generation_id: str) -> bool:
        """Whether what this generation serves is among what is damaged."""
        served = {generation_id, NAMES, CATALOG, API_ITEMS, INDEX, COUNTS, POSITION, SEGMENT, COLLECTION}
        return not served.isdisjoint(finding.kind for finding in self.findings)


@dataclass(frozen=True)
class Checked:
    """A segment that was looked at.

    Attributes:
        counted: the sum of each kind, from the bytes.
        seen: the same as a serving process counts.
        damaged: kinds whose bytes do not give the stored sum.
    """

    state: SegmentState
    counted: Mapping[str, int]
    seen: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def damaged(self) -> set[str]:
        """Kinds with a checksum whose bytes are not what was written."""
        return {kind for kind, stored in self.state.sums.items() if self.counted.get(kind, 0) != stored}


def verify(
    store: CodeStore,
    collection: str,
    copies: Sequence[Copy] = (),
    progress: Callable[[int, int], None] = lambda done, segments: None,
) -> Report:
    """Look at a collection; some seconds per million items, in calls of a millisecond or two of the server's time.

    Args:
        copies: to compare with, where they are at the same position of a segment.
        progress: is told how many segments are done, and of how many.

    Raises:
        StoreUnavailableError: the server does not answer.
        TaxohashError: there is no such collection, or its own keys cannot be read.
    """
    opened, status = described(store, collection)
    findings = _of_collection(opened, status)
    notes: list[str] = []
    checked: dict[int, Checked] = {}
    for segment in range(opened.segments):
        try:
            checked[segment] = check_segment(store, opened, segment)
        except StaleError:
            if described(store, collection)[0].incarnation != opened.incarnation:
                raise
            findings.append(Finding(segment, SEGMENT, "its data are not there"))
        except TryAgainError:
            raise
        except StoreUnavailableError as error:
            store.ping()  # where the server is well, its function came upon something that it cannot read
            findings.append(Finding(segment, SEGMENT, f"it cannot be read: {error}"))
        progress(segment + 1, opened.segments)
    _, later = described(store, collection)
    for segment, found in checked.items():
        findings += found.findings
        findings += _of_history(segment, found, status, later)
    for copy in copies:
        compared, told = _compared(opened, checked, copy)
        findings += compared
        notes += told
    published = status.history[0] if status.history else None
    positions = tuple(
        checked[segment].state.position if segment in checked else -1 for segment in range(opened.segments)
    )
    items = sum(found.state.items for found in checked.values())
    return Report(collection, published, positions, items, tuple(findings), tuple(notes))


def described(store: CodeStore, collection: str) -> tuple[Collection, Status]:
    """As `CodeStore.described`, where damage is one line too."""
    try:
        return store.described(collection)
    except (ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise TaxohashError(
            f"collection {collection!r} cannot be read, its own keys are damaged ({reason}): restore it from a backup"
        ) from None


def check_segment(store: CodeStore, opened: Collection, segment: int) -> Checked:
    """Look at one segment."""
    looked = _Segment(opened.labels.total)
    state = None
    for page in store.pages(opened, segment):
        looked.take(page)
        state = page.state
    assert state is not None
    return looked.checked(segment, state)


def _of_collection(opened: Collection, status: Status) -> list[Finding]:
    findings = []
    for name in status.history:
        if name not in status.generations:
            findings.append(Finding(None, COLLECTION, f"generation {name!r} was published and is not known"))
    for name, known in status.generations.items():
        try:
            opened.labels.version_of(known.ref.taxonomy_sha256)
        except TaxohashError as error:
            findings.append(Finding(None, COLLECTION, f"generation {name!r}: {error}"))
        expected = (
            {"published"} if status.history[:1] == (name,) else {"building", "sealed", "retired", "dropping"}
        )
        if known.state not in expected:
            findings.append(
                Finding(None, COLLECTION, f"generation {name!r} is {known.state!r}, not {min(expected)}")
            )
    if status.history and len(status.positions) != opened.segments:
        findings.append(
            Finding(
                None, COLLECTION, f"it has {len(status.positions)} positions of {opened.segments} segments"
            )
        )
    return findings


def _of_history(segment: int, checked: Checked, status: Status, later: Status) -> list[Finding]:
    """What the collection remembers of the segment, before and after this was looked at, against what it is now."""
    findings, state = [], checked.state
    if status.history and segment < len(status.positions) and status.positions[segment] > state.position:
        text = f"it was at {status.positions[segment]} when {status.history[0]!r} was published and is at {state.position}: writes are lost"
        findings.append(Finding(segment, POSITION, text))
    if state.last != state.position:
        text = f"it is at {state.position}, and the last write in its history is {state.last}"
        findings.append(Finding(segment, POSITION, text))
    for name in state.generations.keys() - status.generations.keys() - later.generations.keys():
        findings.append(
            Finding(segment, COLLECTION, f"it has a generation {name!r} that the collection does not know")
        )
    for name, known in status.generations.items():
        if known != later.generations.get(name) or known.state == "dropping":
            continue
        if name not in state.generations:
            if known.state != "building":
                findings.append(Finding(segment, name, "it does not have this generation"))
        elif state.generations[name].bits != known.ref.bits:
            findings.append(
                Finding(segment, name, f"it has {state.generations[name].bits} bits, not {known.ref.bits}")
            )
        elif state.generations[name].state not in HELD_STATES:
            findings.append(Finding(segment, name, f"it is {state.generations[name].state[:20]!r} there"))
        elif known.sealed:
            findings += _of_seal(segment, name, known.sealed, checked)
    return findings


def _of_seal(segment: int, name: str, sealed: str, checked: Checked) -> list[Finding]:
    try:
        told = json.loads(sealed)
        position, total = int(told["positions"][segment]), int(told["sums"][segment])
    except (ValueError, TypeError, LookupError):
        return [Finding(segment, name, "what was counted when it was sealed cannot be read")]
    state = checked.state
    if position > state.position:
        return [
            Finding(
                segment,
                POSITION,
                f"it was at {position} when {name!r} was sealed and is at {state.position}: writes are lost",
            )
        ]
    if position == state.position and checked.counted.get(name, 0) != total:
        return [Finding(segment, name, "it is not as it was sealed")]
    return []


def _compared(
    opened: Collection, checked: Mapping[int, Checked], copy: Copy
) -> tuple[list[Finding], list[str]]:
    if copy.incarnation != opened.incarnation or len(copy.positions) != opened.segments:
        return [], [f"{copy.source} is of another collection of this name: nothing was compared"]
    findings, elsewhere = [], 0
    for segment, found in checked.items():
        if copy.positions[segment] != found.state.position:
            elsewhere += 1
            continue
        own = found.counted if copy.is_whole else found.seen
        for kind, total in copy.sums[segment].items():
            if own.get(kind, 0) != total:
                sound = "the store's are sound" if kind not in found.damaged else "the store's are damaged"
                findings.append(
                    Finding(
                        segment,
                        kind,
                        f"{copy.source} has other bytes at position {found.state.position}; {sound}",
                    )
                )
    told = f"{copy.source} is at other positions of {elsewhere} of {opened.segments} segments: these were not compared"
    return findings, [told] if elsewhere else []


@dataclass
class _Block:
    """What is kept of a block."""

    free: int = BLOCK
    fields: int = 0
    deleted: int = 0
    members: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)


class _Segment:
    """Takes the pages of a segment, and remembers some numbers of each block."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._blocks: dict[int, _Block] = {}

    def take(self, page: Page) -> None:
        for block, fields in page.by_block().items():
            self._blocks[block] = self._looked_at(block, fields)
        if page.lost:
            text = f"{len(page.lost)} ids lead nowhere, such as {page.lost[0][:40]!r}"
            self._blocks[page.blocks[0]].problems.append((INDEX, text))

    def checked(self, segment: int, state: SegmentState) -> Checked:
        blocks = {
            number: block
            for number, block in self._blocks.items()
            if number < state.blocks or number == NO_BLOCK
        }
        counted = added(part for block in blocks.values() for part in block.counted.items())
        seen = added(part for block in blocks.values() for part in block.seen.items())
        dropping = {name for name, held in state.generations.items() if held.state == "dropping"}
        found = Checked(state, counted, seen, ())
        findings = [
            Finding(
                segment,
                kind,
                f"its bytes give the checksum {counted.get(kind, 0):012x}, written was {state.sums[kind]:012x}",
            )
            for kind in sorted(found.damaged - dropping)
        ]
        findings += _gathered(segment, blocks, dropping)
        findings += _miscounted(segment, state, blocks, dropping)
        return Checked(state, counted, seen, tuple(findings))

    def _looked_at(self, number: int, fields: Mapping[bytes, bytes]) -> _Block:
        block = _Block(fields=len(fields))
        block.counted = added((kind_of(name), digest(name, value)) for name, value in fields.items())
        masked = ((name, as_followed(name, value)) for name, value in fields.items())
        block.seen = added((kind_of(name), digest(name, value)) for name, value in masked if value)
        if number == NO_BLOCK:
            block.deleted = sum(value.count(b"\xff") for value in fields.values())
            return block
        names = fields.get(b"n%d" % number, b"\xff" * BLOCK).split(b"\xff")
        if len(names) != BLOCK + 1 or names[-1]:
            block.problems.append((NAMES, f"not {BLOCK} ids"))
            names = (names[:-1] + [b""] * BLOCK)[: BLOCK + 1]
        used = np.array([bool(name) for name in names[:-1]])
        block.free = BLOCK - int(used.sum())
        catalog = fields.get(b"c%d" % number, bytes(9 * BLOCK))
        if len(catalog) not in (9 * BLOCK, 10 * BLOCK):  # of before there were fingerprints, and since
            block.problems.append((CATALOG, "columns of another length"))
        elif ((np.frombuffer(catalog, np.uint8, BLOCK) & _ALIVE > 0) != used).any():
            block.problems.append((CATALOG, "items without names, or names without items"))
        for name, value in fields.items():
            if name[:1] == b"g":
                self._look_at_generation(block, kind_of(name), number, value, used, fields)
        return block

    def _look_at_generation(
        self,
        block: _Block,
        kind: str,
        number: int,
        value: bytes,
        used: npt.NDArray[np.bool_],
        fields: Mapping[bytes, bytes],
    ) -> None:
        if len(value) < 5 * BLOCK or len(value) % BLOCK:
            block.problems.append((kind, "columns of another length"))
            return
        flags = np.frombuffer(value, np.uint8, BLOCK)
        labels = np.frombuffer(value, "<i4", BLOCK, BLOCK)
        member = flags & MEMBER > 0
        block.members[kind], block.codes[kind] = int(member.sum()), int((flags & CODED > 0).sum())
        if (member & ~used).any() or (~member & (flags > 0)).any():
            block.problems.append((kind, "members or codes of rows without an item"))
        if ((labels[member] != NO_LABEL) & ((labels[member] < 0) | (labels[member] >= self._labels))).any():
            block.problems.append((kind, "labels whose number was never given"))
        prefix = kind.encode()
        for bit, letter in ((LABEL_SET, b"s"), (OWN_RECORD, b"o")):
            for offset in np.flatnonzero(flags & bit).tolist():
                own = fields.get(letter + prefix + b":" + (number * BLOCK + offset).to_bytes(4, "little"))
                if own is None:
                    block.problems.append((kind, "label sets or records that are not there"))
                elif bit == LABEL_SET and not self._is_set(own):
                    block.problems.append((kind, "labels whose number was never given"))

    def _is_set(self, value: bytes) -> bool:
        if len(value) % 4:
            return False
        numbers = np.frombuffer(value, "<i4")
        return bool(((numbers >= 0) & (numbers < self._labels)).all())


def _gathered(segment: int, blocks: Mapping[int, _Block], dropping: AbstractSet[str]) -> list[Finding]:
    """The problems of all blocks, each told once."""
    where: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, block in sorted(blocks.items()):
        for kind, text in block.problems:
            if kind not in dropping and where[kind, text][-1:] != [number]:
                where[kind, text].append(number)
    findings = []
    for (kind, text), numbers in where.items():
        more = f" and {len(numbers) - _FIRST} more" if len(numbers) > _FIRST else ""
        named = ", ".join(map(str, numbers[:_FIRST]))
        findings.append(Finding(segment, kind, f"{text} (block{'s' * (len(numbers) > 1)} {named}{more})"))
    return findings


def _miscounted(
    segment: int, state: SegmentState, blocks: Mapping[int, _Block], dropping: AbstractSet[str]
) -> list[Finding]:
    rows = [block for number, block in blocks.items() if number != NO_BLOCK]
    items = sum(BLOCK - block.free for block in rows)
    told = {"items": state.items, "deleted ids": state.deleted}
    found = {"items": items, "deleted ids": sum(block.deleted for block in blocks.values())}
    for kind in {API_ITEMS, *state.generations} - set(dropping):
        what = f"of generation {kind}" if kind else "of the API"
        told |= {f"members {what}": state.members[kind], f"codes {what}": state.codes[kind]}
        found[f"members {what}"] = sum(block.members.get(kind, 0) for block in rows)
        found[f"codes {what}"] = sum(block.codes.get(kind, 0) for block in rows)
    if not dropping:
        told["fields"], found["fields"] = (
            state.fields,
            sum(block.fields for block in blocks.values()) + items + state.own,
        )
    findings = [
        Finding(segment, COUNTS, f"there are {found[what]} {what}, it counts {told[what]}")
        for what in told
        if told[what] != found[what]
    ]
    free = b"".join(
        bytes([ord("0") + blocks[number].free]) for number in range(state.blocks) if number in blocks
    )
    if free != state.open:
        findings.append(Finding(segment, COUNTS, "the free rows of its blocks are not what it counts"))
    return findings
