"""Mend the damaged segments of a collection, from whichever side has the bytes that the stored checksums are of.

First it is planned, then done. A kind of fields is as the store has it where its bytes give the stored checksum; else as a backup
or a serving process has it, as a whole or but for the one field in which they differ, if that gives the stored checksum. If
nothing does, the segment is left alone, and it is said. The index of ids and all counts follow from the rest and are made anew.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from services.codestore.backup_files import read_manifest, read_segment
from services.codestore.checksums import (
    API_ITEMS,
    CATALOG_KINDS,
    MODULUS,
    NO_BLOCK,
    block_of,
    digest,
    kind_of,
    sums_of,
)
from services.codestore.collection import Collection, Status
from services.codestore.image import Held
from services.codestore.places import Place
from services.codestore.store import CodeStore
from services.codestore.verify import Finding, described, verify
from taxohash.errors import TaxohashError

Fields = dict[bytes, bytes]

_ID = rb"(?:[A-Za-z0-9][A-Za-z0-9._-]*)?"
_CHECKED = re.compile(rb"[nc]\d+|d[0-9a-f]{2}|[rt].{4}|g" + _ID + rb":\d+|[so]" + _ID + rb":.{4}", re.DOTALL)
_OWN = re.compile(
    rb"incarnation|open|generations|position|stamp|alive|deleted|(?:sum|members|coded):.*", re.DOTALL
)
_INDEX = b"="


@dataclass(frozen=True)
class Side:
    """Where else bytes of the segments are: a backup, or a serving process.

    Attributes:
        fields: of a segment, all that it has with checksums; of a serving process see `checksums.names_fields` and
            `checksums.generation_fields`.
    """

    source: str
    fields: Callable[[int], Mapping[bytes, bytes]]


@dataclass(frozen=True)
class Mend:
    """What is to be done with a segment.

    Attributes:
        position: at which it must still be.
        last: position of the last write that is known of it.
        fields: that get other values; an empty value removes one.
        blocks, held, sums: what it says of itself then.
        why: in words.
    """

    segment: int
    position: int
    last: int
    fields: Mapping[bytes, bytes]
    blocks: int
    held: Mapping[str, Held]
    sums: Mapping[str, int]
    why: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What `apply` would do, and what it would not.

    Attributes:
        hopeless: damage that is left as it is, in words.
    """

    collection: str
    incarnation: str
    mends: tuple[Mend, ...]
    hopeless: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people."""
        done = [f"segment {mend.segment}: {text}" for mend in self.mends for text in mend.why]
        return done + [f"left as it is: {text}" for text in self.hopeless]


def backup_side(address: str | Path) -> Side:
    """The bytes of a backup.

    Raises:
        TaxohashError: there is no backup; or (from fields) a file of it is damaged.
    """
    place = Place.open(address, "backups")
    manifest = read_manifest(place)

    def fields(segment: int) -> Fields:
        if segment >= len(manifest.segments):
            return {}
        blocks = read_segment(place, manifest.segments[segment])
        return {field: value for _, own in blocks for field, value in own.items()}

    return Side(f"backup {place.address}", fields)


def plan(store: CodeStore, collection: str, sides: Sequence[Side] = ()) -> Plan:
    """What can be mended. Nothing is changed.

    Raises:
        StoreUnavailableError: a server does not answer; or a damaged segment is written all the time.
        TaxohashError: there is no such collection, or its own keys cannot be read.
    """
    opened, status = described(store, collection)
    mends, hopeless = [], []
    damaged = {finding.segment for finding in verify(store, collection).findings}
    for segment in sorted(number for number in damaged if number is not None):
        mend, left = _planned(store, opened, status, segment, sides)
        mends += [mend] if mend else []
        hopeless += [f"segment {segment}, {text}" for text in left]
    if None in damaged:
        hopeless.append("the collection's own keys: restore it under another name")
    return Plan(collection, opened.incarnation, tuple(mends), tuple(hopeless))


def apply(store: CodeStore, planned: Plan) -> tuple[Finding, ...]:
    """Do what was planned; what is found damaged after that.

    Raises:
        TaxohashError: a segment was written since it was planned (those before it are mended), or the collection was made anew.
    """
    opened, _ = described(store, planned.collection)
    if opened.incarnation != planned.incarnation:
        raise TaxohashError(f"collection {planned.collection!r} was made anew: plan its repair again")
    for mend in planned.mends:
        if mend.fields:
            store.put_fields(opened, mend.segment, mend.fields, expected=mend.position)
        store.settle(
            opened, mend.segment, mend.last, mend.blocks, mend.held, mend.sums, expected=mend.position
        )
    return verify(store, planned.collection).findings


def _planned(
    store: CodeStore, opened: Collection, status: Status, segment: int, sides: Sequence[Side]
) -> tuple[Mend | None, list[str]]:
    position, everything = store.all_fields(opened, segment)
    if everything.get(b"incarnation") != opened.incarnation.encode():
        return None, ["its data are not there: restore the collection under another name"]
    held = _held(status)
    kinds = {*CATALOG_KINDS, API_ITEMS, *held}
    own, index, checked, strays = _sorted(everything, kinds)
    sums: dict[str, int] = {}
    changes: Fields = {}
    why: list[str] = []
    hopeless = [] if position >= 0 else ["position: it cannot be read"]
    for kind in sorted(kinds):
        current = {field: value for field, value in checked.items() if kind_of(field) == kind}
        stored = own.get(f"sum:{kind}".encode(), b"0")
        if not stored.isdigit():
            hopeless.append(f"{kind or 'items of the API'}: its checksum itself is damaged")
            continue
        sums[kind] = int(stored)
        if sums_of(current).get(kind, 0) == sums[kind]:
            continue
        changed, source = _mended(
            current, kind, sums[kind], [(side.source, partial(side.fields, segment)) for side in sides]
        )
        if changed is None:
            hopeless.append(f"{kind or 'items of the API'}: no side has the bytes of its checksum")
        else:
            changes |= changed
            why.append(f"{kind or 'items of the API'}: {len(changed)} fields from {source}")
    if hopeless:
        return None, hopeless
    final = {field: value for field, value in {**checked, **changes}.items() if value}
    wanted = _index_of(final)
    stale = [field for field in index if field not in wanted]
    if strays or stale:
        why.append(f"{len(strays)} fields of nothing and {len(stale)} ids of nothing are removed")
    why.append("its index of ids and its counts are made anew")
    blocks = max((block_of(field) + 1 for field in final if block_of(field) != NO_BLOCK), default=0)
    removed = dict.fromkeys([*strays, *stale], b"")
    last = max(position, store.last_entry(opened, segment))
    return Mend(segment, position, last, {**changes, **removed}, blocks, held, sums, tuple(why)), []


def _held(status: Status) -> dict[str, Held]:
    live = status.live(())
    states = {
        name: "building" if known.state == "building" else "live" if name in live else "retired"
        for name, known in status.generations.items()
    }
    return {
        name: Held(known.ref.bits, states[name])
        for name, known in status.generations.items()
        if known.state != "dropping"
    }


def _sorted(everything: Fields, kinds: set[str]) -> tuple[Fields, Fields, Fields, list[bytes]]:
    """What a segment says of itself, its index, its fields with checksums, and the names of fields that belong to nothing."""
    own: Fields = {}
    index: Fields = {}
    checked: Fields = {}
    strays = []
    for field, value in everything.items():
        if field.startswith(_INDEX):
            index[field] = value
        elif _OWN.fullmatch(field):
            own[field] = value
        elif _CHECKED.fullmatch(field) and kind_of(field) in kinds:
            checked[field] = value
        else:
            strays.append(field)
    return own, index, checked, strays


def _mended(
    current: Fields, kind: str, stored: int, sides: Sequence[tuple[str, Callable[[], Mapping[bytes, bytes]]]]
) -> tuple[Fields | None, str]:
    """Which fields get which values so that the kind has the stored checksum, and from where; None where no side knows."""
    for source, fields in sides:
        theirs = {field: value for field, value in fields().items() if kind_of(field) == kind}
        differing = {
            field: theirs.get(field, b"")
            for field in current.keys() | theirs.keys()
            if current.get(field) != theirs.get(field)
        }
        if sums_of(theirs).get(kind, 0) == stored:
            return differing, source
        missing = (stored - sums_of(current).get(kind, 0)) % MODULUS
        for field, value in differing.items():
            if (_part(field, value) - _part(field, current.get(field, b""))) % MODULUS == missing:
                return {field: value}, source
    return None, ""


def _part(field: bytes, value: bytes) -> int:
    return digest(field, value) if value else 0


def _index_of(fields: Fields) -> set[bytes]:
    return {
        _INDEX + item_id
        for field, value in fields.items()
        if field[:1] == b"n"
        for item_id in value.split(b"\xff")
        if item_id
    }
