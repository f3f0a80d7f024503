"""The files of a backup of one collection: their format, written and read. Pure but for the place that they lie in.

    ADDRESS/manifest.json         what is in the backup, with the sha256 of each file; written last: without it there is no backup
    ADDRESS/segments/S-N          part N of segment S: chunks, a few MiB together
    ADDRESS/generations/ID/FILE   the files of each generation's hasher
    ADDRESS/pictures/ab/cdef...   originals and thumbnails, a store of pictures of its own, where they are kept by content

A chunk is all that a segment keeps of one block of rows, fields of its hash with their values as `raw` gives them, little-endian:

    u32 block, u32 fields, then for each field u32 length of the name, u32 length of the value, name, value

The block NO_BLOCK has the fields that belong to none (what was deleted by hand). A segment is read while it is written: a block
that changed meanwhile is added again, and of several chunks of a block the last counts. At the end the segment's own checksums
must come out (see `checksums`). So a backup is of one position, and what was read agrees with what the server had summed up when it was written.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from services.codestore.checksums import NO_BLOCK, added, sums_of
from services.codestore.keys import NAME
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from taxohash.generation.file import Number, Sha256
from taxohash.runtime.configuration import Series, configuration, plain, read

FORMAT = 1

_PART_BYTES = 4 << 20
_LARGEST = 64 << 20  # bytes of a part: the last chunk goes over _PART_BYTES
_MANIFEST = "manifest.json"

# Names of files and folders in it: they lead nowhere else.
_Name = Annotated[str, Field(pattern=f"^{NAME}$")]

Fields = Mapping[bytes, bytes]


class DamagedBackupError(TaxohashError):
    """A file of a backup is missing or is not what was written."""


@configuration
class Part:
    """A file of a segment."""

    name: Annotated[str, Field(pattern=r"^segments/[0-9]+-[0-9]+$")]
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0, le=_LARGEST)]


@configuration
class SegmentFiles:
    """A segment at one position; `sums` by kind of fields: names, catalog, deleted, and each generation.

    `state` of the generation in it, empty where it has none; of a retired one `missing` is the position since which writes of the
    API did not reach it.
    """

    position: Number
    blocks: Number
    sums: dict[str, Number]
    parts: Series[Part]
    state: str = "live"
    missing: Number = 0


@configuration
class GenerationFiles:
    """A generation, and the files of its hasher by name; none where they stayed in `folder`. `origin` is what was noted of where it
    comes from, or empty.
    """

    id: _Name
    bits: Annotated[int, Field(ge=1)]
    taxonomy_sha256: Sha256
    state: str
    folder: str
    files: dict[_Name, Sha256]
    origin: str = ""


@configuration
class Manifest:
    """What is in a backup.

    `labels` is the text of the label numbers; `history` of published generations, the current one first; `pictures` the address
    of the store that the pictures stayed in, or empty where they are in the backup.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    collection: _Name
    incarnation: str
    created: Number
    labels: str
    history: Series[str]
    generations: Series[GenerationFiles]
    pictures: str
    segments: Annotated[Series[SegmentFiles], Field(min_length=1)]


def write_manifest(place: Place, manifest: Manifest) -> None:
    """The last step of a backup."""
    data = {"sha256": _digest(plain(manifest)), "manifest": plain(manifest)}
    place.write(_MANIFEST, (json.dumps(data, indent=1) + "\n").encode())


def read_manifest(place: Place) -> Manifest:
    """What is in the backup at a place.

    Raises:
        TaxohashError: there is none, or one of another release.
        DamagedBackupError: the manifest is not what was written.
    """
    text = place.read(_MANIFEST, 1 << 30)
    if text is None:
        raise TaxohashError(f"there is no backup in {place.address}: name another place, or back up first")
    try:
        data = json.loads(text)
        whole = data.keys() == {"sha256", "manifest"} and _digest(data["manifest"]) == data["sha256"]
    except (ValueError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise DamagedBackupError(f"the manifest of the backup in {place.address} is damaged: use another one")
    try:
        return read(Manifest, data["manifest"])
    except TaxohashError as error:
        raise TaxohashError(f"the backup in {place.address} is of another release ({error})") from None


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


class SegmentWriter:
    """Writes the parts of one segment."""

    def __init__(self, place: Place, segment: int) -> None:
        self._place = place
        self._segment = segment
        self._parts: list[Part] = []
        self._pending = bytearray()
        self._sums: dict[int, dict[str, int]] = {}

    def add(self, block: int, fields: Fields) -> None:
        """All that a block has now, in place of what it had.

        Raises:
            StoreUnavailableError: the place cannot be written.
        """
        self._pending += struct.pack("<II", block, len(fields))
        for field, value in fields.items():
            self._pending += struct.pack("<II", len(field), len(value)) + field + value
        self._sums[block] = sums_of(fields)
        if len(self._pending) >= _PART_BYTES:
            self._flush()

    def finish(self, position: int, blocks: int, sums: Mapping[str, int]) -> SegmentFiles:
        """The segment as the server summed it up at a position; blocks from `blocks` on are no more.

        Raises:
            TaxohashError: what was added has other sums.
        """
        own = added(
            part
            for block, found in self._sums.items()
            if block < blocks or block == NO_BLOCK
            for part in found.items()
        )
        if wrong := _differing(own, sums):
            raise TaxohashError(
                f"segment {self._segment} was read with other checksums of {wrong} than it has: verify it, then back up again"
            )
        if self._pending:
            self._flush()
        return SegmentFiles(position=position, blocks=blocks, sums=dict(sums), parts=tuple(self._parts))

    def _flush(self) -> None:
        data, self._pending = bytes(self._pending), bytearray()
        name = f"segments/{self._segment}-{len(self._parts)}"
        self._place.write(name, data)
        self._parts.append(Part(name=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)))


def read_segment(place: Place, files: SegmentFiles) -> Iterator[tuple[int, dict[bytes, bytes]]]:
    """The blocks of a segment with their fields; a part at a time in memory.

    Raises (while it is read; all is well only when it has ended):
        DamagedBackupError: a part is missing or is another, or the checksums do not come out.
    """
    last: dict[int, tuple[int, int]] = {}
    for number, part in enumerate(files.parts):
        for at, (block, _) in enumerate(_chunks(_part(place, part), part)):
            last[block] = (number, at)
    sums: dict[str, int] = {}
    for number, part in enumerate(files.parts):
        for at, (block, fields) in enumerate(_chunks(_part(place, part), part)):
            if last[block] == (number, at) and (block < files.blocks or block == NO_BLOCK):
                sums = added([*sums.items(), *sums_of(fields).items()])
                yield block, fields
    if wrong := _differing(sums, files.sums):
        raise DamagedBackupError(
            f"the backup in {place.address} has wrong checksums of {wrong}: use another one"
        )


def _part(place: Place, part: Part) -> bytes:
    data = place.read(part.name, part.bytes + 1)
    if data is None or hashlib.sha256(data).hexdigest() != part.sha256:
        state = "missing" if data is None else "damaged"
        raise DamagedBackupError(f"{part.name} of the backup in {place.address} is {state}: use another one")
    return data


def _chunks(data: bytes, part: Part) -> Iterator[tuple[int, dict[bytes, bytes]]]:
    at = 0
    try:
        while at < len(data):
            block, count = struct.unpack_from("<II", data, at)
            at += 8
            fields: dict[bytes, bytes] = {}
            for _ in range(count):
                of_name, of_value = struct.unpack_from("<II", data, at)
                name, value = at + 8, at + 8 + of_name
                at = value + of_value
                fields[data[name:value]] = data[value:at]
            yield block, fields
    except struct.error:
        at = -1
    if at != len(data):
        raise DamagedBackupError(f"{part.name} of the backup does not have its form: use another one")


def _differing(left: Mapping[str, int], right: Mapping[str, int]) -> str:
    """Kinds whose sums differ, in words; a kind without fields has the sum 0."""
    wrong = sorted(kind for kind in {*left, *right} if left.get(kind, 0) != right.get(kind, 0))
    return ", ".join(kind or "the API's own items" for kind in wrong)
