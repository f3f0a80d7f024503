"""Backup and restore: one generation and the catalogue of a collection, to a folder or a bucket, and into another server.

Each segment is copied as it was at one position, and its checksums come out, or there is no backup. A restored collection
can be opened, and its generation published, once its bytes in the server have the checksums of the backup.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from services.codestore.checksums import API_ITEMS, CATALOG_KINDS, kind_of
from services.codestore.collection import Collection
from services.codestore.image import Held
from services.codestore.integrity.backup_files import (
    FORMAT,
    DamagedBackupError,
    GenerationFiles,
    Manifest,
    SegmentFiles,
    SegmentWriter,
    read_manifest,
    read_segment,
    write_manifest,
)
from services.codestore.integrity.verify import Checked, Copy, check_segment
from services.codestore.labels import LabelNumbers
from services.codestore.pictures import MissingPictureError, Pictures
from services.codestore.places import Place
from services.codestore.records import GenerationRef
from services.codestore.store import CodeStore
from services.codestore.wire import pictures_in
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import new_folder, vacant

Progress = Callable[[str, int, int], None]
How = Literal["content", "reference"]

_PUT_BYTES = 256 << 10  # of one call
_LARGEST_FILE = 4 << 30  # of a hasher
_SETTLED = {"reviving": "retired"}  # what was going on is begun anew


def quiet(what: str, done: int, total: int) -> None:
    """No progress is told."""


@dataclass(frozen=True)
class BackedUp:
    """A backup that was made.

    Attributes:
        pictures: how many are in it.
        missing: pictures that items name and that are not in their store; items keep their names.
    """

    address: str
    manifest: Manifest
    pictures: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """A collection that was restored: how many items and pictures, and whether its generation is published."""

    collection: str
    generation: str
    items: int
    pictures: int
    published: bool


def backup(
    store: CodeStore,
    collection: str,
    destination: str | Path,
    *,
    generation: str | None = None,
    pictures: Pictures | None = None,
    hasher: Path | None = None,
    how: How = "content",
    progress: Progress = quiet,
) -> BackedUp:
    """Copy one generation and the catalogue.

    Args:
        destination: a folder, or s3://bucket/prefix, that has no backup yet; see `Place.open`.
        generation: its id; the published one by default.
        pictures: the store that items' pictures are in; without it, no picture is looked at.
        hasher: the folder of the generation's files.
        how: whether pictures and hasher are copied, or only named.
        progress: is told what is done ("segments", "pictures"), how many, and of how many; 0 where that is not known.

    Raises:
        TaxohashError: there is a backup; there is no such generation; or a segment is damaged.
        StoreUnavailableError: a server, or the destination, does not answer.
    """
    place = Place.open(destination, "backups")
    if place.entry("manifest.json"):
        raise TaxohashError(f"there is a backup in {place.address} already: name another place")
    opened, status = store.described(collection)
    if generation is None and not status.history:
        raise TaxohashError(f"collection {collection!r} has nothing published: name a generation to back up")
    name = generation or status.history[0]
    ref = status.known(name).ref
    segments = []
    for segment in range(opened.segments):
        segments.append(_copied(store, opened, segment, place, name))
        progress("segments", segment + 1, opened.segments)
    later, status = store.described(collection)
    if (
        later.incarnation != opened.incarnation
        or status.generations.get(name) is None
        or status.known(name).ref != ref
    ):
        raise TaxohashError(
            f"generation {name!r} of collection {collection!r} was removed while it was backed up"
        )
    copied, missing = set[str](), set[str]()
    if pictures and how == "content":
        copied, missing = _copy_pictures(place, segments, pictures, progress)
    manifest = Manifest(
        format=FORMAT,
        collection=collection,
        incarnation=opened.incarnation,
        created=int(time.time()),
        labels=later.labels.to_json(),
        history=status.history,
        generations=(
            GenerationFiles(
                id=name,
                bits=ref.bits,
                taxonomy_sha256=ref.taxonomy_sha256,
                state=status.known(name).state,
                folder=str(hasher) if hasher and how == "reference" else "",
                files=_copy_hasher(place, name, hasher) if hasher and how == "content" else {},
                origin=store.origin(collection, name) or "",
            ),
        ),
        pictures=pictures.address if pictures and how == "reference" else "",
        segments=tuple(segments),
    )
    write_manifest(place, manifest)
    return BackedUp(place.address, manifest, len(copied), tuple(sorted(missing)))


def copy_of(address: str | Path) -> Copy:
    """What a backup says, to compare a collection with; all its files are read.

    Raises:
        DamagedBackupError: a file is not what was written.
        TaxohashError: there is no backup.
    """
    place = Place.open(address, "backups")
    manifest = read_manifest(place)
    for files in manifest.segments:
        for _ in read_segment(place, files):
            pass
    positions = tuple(files.position for files in manifest.segments)
    sums = tuple(files.sums for files in manifest.segments)
    return Copy(f"backup {place.address}", manifest.incarnation, positions, sums, is_whole=True)


def restore(
    store: CodeStore,
    source: str | Path,
    collection: str | None = None,
    *,
    publish: bool = False,
    pictures: Pictures | None = None,
    hasher: Path | None = None,
    who: str = "",
    why: str = "",
    progress: Progress = quiet,
) -> Restored:
    """Make a collection from a backup. Cut short, it leaves one that nobody can open, and goes on when it is called again.

    Args:
        collection: its name; that of the backup by default.
        publish: publish its generation too.
        pictures: takes the pictures of the backup.
        hasher: a folder to be made, that takes the hasher's files.

    Raises:
        DamagedBackupError: a file of the backup is not what was written.
        TaxohashError: there is no backup; there is such a collection; or its bytes in the server have other checksums.
        StoreUnavailableError: a server, or the source, does not answer.
    """
    place = Place.open(source, "backups")
    manifest = read_manifest(place)
    (held,) = manifest.generations
    if hasher is not None:
        vacant(hasher)
    name = collection or manifest.collection
    labels = LabelNumbers.from_json(manifest.labels, f"in the backup in {place.address}")
    opened = store.make_restored(
        name, len(manifest.segments), labels, f"{place.address} of {manifest.created}"
    )
    checked = []
    for segment, files in enumerate(manifest.segments):
        checked.append(_put(store, opened, segment, place, files, held))
        progress("segments", segment + 1, opened.segments)
    count = _give_pictures(place, pictures, progress) if pictures and not manifest.pictures else 0
    if hasher is not None:
        _give_hasher(place, held, hasher)
    sealed = None if held.state == "building" else _counted(checked, held.id)
    store.open_restored(opened, GenerationRef(held.id, held.bits, held.taxonomy_sha256), sealed)
    if held.origin:
        store.note_origin(name, held.id, held.origin)
    if publish:
        store.publish(name, held.id, who=who, why=why or f"restored from {place.address}")
    return Restored(name, held.id, sum(found.state.items for found in checked), count, publish)


# -- segments --------------------------------------------------------------------------------------


def _copied(
    store: CodeStore, opened: Collection, segment: int, place: Place, generation: str
) -> SegmentFiles:
    kinds = {*CATALOG_KINDS, API_ITEMS, generation}
    writer = SegmentWriter(place, segment)
    state = None
    for page in store.pages(opened, segment):
        for block, fields in page.by_block().items():
            writer.add(block, {field: value for field, value in fields.items() if kind_of(field) in kinds})
        state = page.state
    assert state is not None
    sums = {kind: total for kind, total in state.sums.items() if kind in kinds}
    files = writer.finish(state.position, state.blocks, sums)
    held = state.generations.get(generation)
    return replace(files, state=held.state if held else "", missing=state.missed.get(generation, 0))


def _put(
    store: CodeStore,
    opened: Collection,
    segment: int,
    place: Place,
    files: SegmentFiles,
    held: GenerationFiles,
) -> Checked:
    """Write a segment, if an earlier restore has not, and look at what the server has of it then."""
    checked = check_segment(store, opened, segment)
    if checked.state.position > files.position and not _differs(checked, files):
        return checked
    pending: dict[bytes, bytes] = {}
    size = 0
    for _, fields in read_segment(place, files):
        pending |= fields
        size += sum(len(field) + len(value) for field, value in fields.items())
        if size >= _PUT_BYTES:
            store.put_fields(opened, segment, pending)
            pending, size = {}, 0
    store.put_fields(opened, segment, pending)
    own = {}
    if files.state:
        own[held.id] = Held(held.bits, _SETTLED.get(files.state, files.state))
        if own[held.id].state == "retired":
            store.put_fields(opened, segment, {f"missing:{held.id}".encode(): b"%d" % files.missing})
    store.settle(opened, segment, files.position, files.blocks, own, files.sums)
    checked = check_segment(store, opened, segment)
    if told := _differs(checked, files):
        raise TaxohashError(
            f"collection {opened.name!r} is not what is in the backup ({told}): restore it again, into a server that is well"
        )
    return checked


def _differs(checked: Checked, files: SegmentFiles) -> str:
    """How a segment differs from its backup, in words, or nothing."""
    if checked.findings:
        return str(checked.findings[0])
    wrong = [kind for kind, total in files.sums.items() if checked.counted.get(kind, 0) != total]
    return f"other checksums of {', '.join(wrong)}" if wrong else ""


def _counted(checked: list[Checked], generation: str) -> str:
    """What is written down when a generation is sealed; see `Generations.seal`."""
    return json.dumps(
        {
            "positions": [found.state.position for found in checked],
            "members": sum(found.state.members[generation] for found in checked),
            "sums": [found.counted.get(generation, 0) for found in checked],
        }
    )


# -- pictures --------------------------------------------------------------------------------------


def _copy_pictures(
    place: Place, segments: list[SegmentFiles], pictures: Pictures, progress: Progress
) -> tuple[set[str], set[str]]:
    """Copy the pictures that the items of a backup name and that are not there yet; these, and those that are nowhere."""
    target = Pictures.open(f"{place.address}/pictures")
    copied, missing = set[str](), set[str]()
    for files in segments:
        for _, fields in read_segment(place, files):
            for digest in pictures_in(fields) - copied - missing:
                try:
                    if not target.has(digest):
                        target.put(pictures.get(digest))
                    copied.add(digest)
                except MissingPictureError:
                    missing.add(digest)
                progress("pictures", len(copied), 0)
    return copied, missing


def _give_pictures(place: Place, pictures: Pictures, progress: Progress) -> int:
    source = Pictures.open(f"{place.address}/pictures")
    count = 0
    for digest in source.digests():
        if not pictures.has(digest):
            pictures.put(source.get(digest))
        count += 1
        progress("pictures", count, 0)
    return count


# -- hashers ---------------------------------------------------------------------------------------


def _copy_hasher(place: Place, generation: str, folder: Path) -> dict[str, str]:
    """Copy the files of a folder; the sha256 of each."""
    found = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise TaxohashError(
            f"the hasher in {folder} cannot be read ({error.strerror}): name its folder"
        ) from None
    for path in paths:
        data = path.read_bytes()
        place.write(f"generations/{generation}/{path.name}", data)
        found[path.name] = hashlib.sha256(data).hexdigest()
    return found


def _hasher_files(place: Place, held: GenerationFiles) -> Iterator[tuple[str, bytes]]:
    for name, sha256 in held.files.items():
        data = place.read(f"generations/{held.id}/{name}", _LARGEST_FILE)
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            state = "missing" if data is None else "damaged"
            raise DamagedBackupError(
                f"{name} of the hasher in {place.address} is {state}: use another backup"
            )
        yield name, data


def _give_hasher(place: Place, held: GenerationFiles, folder: Path) -> None:
    if not held.files:
        where = f"it stayed in {held.folder}" if held.folder else "it was made without"
        raise TaxohashError(
            f"the backup in {place.address} has no hasher ({where}): restore without its folder"
        )
    with new_folder(folder) as draft:
        for name, data in _hasher_files(place, held):
            (draft / name).write_bytes(data)
