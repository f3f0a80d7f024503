"""The invariants, of what a store shows against the ledger. Pure.

No acknowledged item is *missing*, none is a *phantom* (deleted, or never written, but there), none a *duplicate*, none *malformed*:
label, tags, code and record are those of one write and one generation, the index of ids is that of the names, and counts and
checksums are those of the fields.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.codestore import Item, Snapshot
from services.codestore.wire import BLOCK
from tests.chaos.contents import DATA, Seen, code_of, data_version, defect, item_of
from tests.chaos.ledger import Ledger, Touch

INDEX = b"="
_MEMBER, _CODED = 1, 2


@dataclass(frozen=True)
class Violation:
    """What must not be."""

    kind: Literal["missing", "phantom", "duplicate", "malformed"]
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Moment:
    """Between which moments an answer was asked for and came, in seconds."""

    since: float
    until: float


def check_view(
    items: Sequence[Seen], generation: str, ledger: Ledger, moment: Moment, who: str
) -> Iterator[Violation]:
    """All items that a reader has of a generation that is live and was sealed."""
    view = {seen.id: seen for seen in items}
    for item_id, count in Counter(seen.id for seen in items).items():
        if count > 1:
            yield Violation("duplicate", f"{who}: {item_id!r} has {count} rows in {generation}")
    for seen in items:
        if wrong := defect(seen, generation):
            yield Violation("malformed", f"{who}: {seen.id!r} in {generation} {wrong}")
    for item_id in ledger.ids | view.keys() | data_version(generation):
        known = view.get(item_id)
        shown = (known.version, known.picture) if known else None
        expected = outcomes(item_id, generation, ledger, moment)
        yield from _compared(item_id, shown, expected, f"{who} in {generation}")


def outcomes(
    item_id: str, generation: str, ledger: Ledger, moment: Moment
) -> dict[tuple[str, str] | None, Touch]:
    """What a generation may show of an item: its version and picture, or None where it may be absent."""
    found: dict[tuple[str, str] | None, Touch] = {}
    for touch in ledger.admissible(item_id, moment.since, moment.until):
        if touch.version == DATA or (
            touch.version is None and touch.number < 0 and item_id.startswith("data\t")
        ):
            here = (f"{DATA}.{generation}",) * 2 if item_id in data_version(generation) else None
            found[here] = touch
        else:
            found[(touch.version, touch.picture) if touch.version is not None else None] = touch
    return found


def _compared(
    item_id: str,
    shown: tuple[str, str] | None,
    expected: Mapping[tuple[str, str] | None, Touch],
    where: str,
) -> Iterator[Violation]:
    if shown in expected:
        return
    wanted = ", ".join("absent" if outcome is None else outcome[0] for outcome in expected)
    if shown is None:
        yield Violation("missing", f"{where}: {item_id!r} is absent, not {wanted}")
    elif set(expected) == {None}:
        yield Violation(
            "phantom", f"{where}: {item_id!r} of {shown[0]} is there, but was deleted or never written"
        )
    else:
        yield Violation("missing", f"{where}: {item_id!r} is {shown[0]}, picture {shown[1]}, not {wanted}")


def check_snapshot(snapshot: Snapshot, ledger: Ledger, moment: Moment, whole: bool) -> Iterator[Violation]:
    """A snapshot: it has no tags, so label and code must be those of one admissible write.

    Args:
        whole: whether every item has its code, so that none may be absent.
    """
    generation, ids = snapshot.generation.id, snapshot.ids.tolist()
    for item_id, count in Counter(ids).items():
        if count > 1:
            yield Violation("duplicate", f"snapshot of {generation}: {item_id!r} is there {count} times")
    for i, item_id in enumerate(ids):
        shown = (tuple(snapshot.labels[i].tolist()), snapshot.codes[i].tobytes())
        expected = outcomes(item_id, generation, ledger, moment)
        wanted = {
            (item_of(item_id, *outcome).labels, code_of(item_id, outcome[1], generation))
            for outcome in expected
            if outcome is not None
        }
        if not wanted:
            yield Violation("phantom", f"snapshot of {generation}: {item_id!r} was deleted or never written")
        elif shown not in wanted:
            yield Violation(
                "malformed", f"snapshot of {generation}: {item_id!r} has label or code of no one write"
            )
    if whole:
        for item_id in (ledger.ids | data_version(generation)) - set(ids):
            if None not in outcomes(item_id, generation, ledger, moment):
                yield Violation("missing", f"snapshot of {generation}: {item_id!r} is absent")


def check_items(
    found: Mapping[str, Item | None], generation: str, ledger: Ledger, moment: Moment
) -> Iterator[Violation]:
    """Entries of the catalogue by id, as a generation has them."""
    for item_id, item in found.items():
        shown = None
        if item is not None:
            seen = Seen(item_id, item.labels, item.tags, None)
            shown = (seen.version, seen.picture)
            if item != item_of(item_id, *shown):
                yield Violation("malformed", f"item {item_id!r} in {generation} is of no one write: {item}")
        yield from _compared(
            item_id, shown, outcomes(item_id, generation, ledger, moment), f"items in {generation}"
        )


def check_segment(segment: int, fields: Mapping[bytes, bytes]) -> Iterator[Violation]:
    """All fields of a segment's hash: names, index, counts and checksums say the same."""
    names: defaultdict[bytes, list[int]] = defaultdict(list)
    sums: defaultdict[str, int] = defaultdict(int)
    counts: Counter[str] = Counter()
    index = {}
    for field, value in fields.items():
        kind = kind_of(field)
        if kind is not None:
            sums[kind] += int(hashlib.sha1(field + b"\0" + value).hexdigest()[:12], 16)
        if field.startswith(INDEX):
            index[field[len(INDEX) :]] = int.from_bytes(value, "little")
        elif kind == "names":
            for offset, name in enumerate(value.split(b"\xff")[:-1]):
                if name:
                    names[name].append(int(field[1:]) * BLOCK + offset)
        elif found := re.fullmatch(rb"g([^:]*):\d+", field):
            for flags in value[:BLOCK]:
                counts[f"members:{found[1].decode()}"] += bool(flags & _MEMBER)
                counts[f"coded:{found[1].decode()}"] += bool(flags & _CODED)
        elif kind == "deleted":
            counts["deleted"] += value.count(b"\xff")
    for name, rows in names.items():
        if len(rows) > 1:
            yield Violation("duplicate", f"segment {segment}: {name!r} has the rows {rows}")
        if index.get(name) not in rows:
            yield Violation(
                "malformed", f"segment {segment}: {name!r} is in row {rows}, the index says {index.get(name)}"
            )
    for name in index.keys() - names.keys():
        yield Violation("malformed", f"segment {segment}: the index has {name!r}, no row has it")
    counts["alive"] = len(names)
    stored = {field.decode(): int(fields[field]) for field in fields if _is_count(field)}
    for field_name, count in counts.items():
        if stored.pop(field_name, 0) != count:
            yield Violation("malformed", f"segment {segment}: {field_name} is not {count}")
    for kind, total in sums.items():
        if stored.pop(f"sum:{kind}", 0) != total % 2**48:
            yield Violation(
                "malformed", f"segment {segment}: the checksum of {kind!r} is not that of its fields"
            )
    for field_name, count in stored.items():
        if count:
            yield Violation("malformed", f"segment {segment}: {field_name} is {count}, and nothing is there")


def kind_of(field: bytes) -> str | None:
    """Which checksum a field is part of, as services/codestore/lua/fields.lua says; None where of none."""
    if re.fullmatch(rb"n\d+", field):
        return "names"
    if re.fullmatch(rb"c\d+", field) or re.fullmatch(rb"[rt].{4}", field, re.DOTALL):
        return "catalog"
    if re.fullmatch(rb"d[0-9a-f]{2}", field):
        return "deleted"
    if found := re.fullmatch(rb"(?:g([^:]*):\d+|[so]([^:]*):.{4})", field, re.DOTALL):
        return (found[1] if found[1] is not None else found[2]).decode() if not _is_count(field) else None
    return None


def _is_count(field: bytes) -> bool:
    return field in (b"alive", b"deleted") or field.startswith((b"sum:", b"members:", b"coded:"))
