"""The files of a backup: what was written comes back, or it is said that it does not."""

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.checksums import NO_BLOCK, block_of, kind_of, sums_of
from services.codestore.integrity import backup_files
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
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import canonical

NAMES = (f"memory://backup{number}" for number in itertools.count())
ROW = (74 * 7 + 5).to_bytes(4, "little")


def place() -> Place:
    return Place.open(next(NAMES), "backups")


def fields_of(block: int, text: bytes = b"") -> dict[bytes, bytes]:
    """Fields of every kind that a block may have."""
    row = (block * 74 + 58).to_bytes(4, "little")  # 58 is a colon
    return {
        b"n%d" % block: b"id\xff" + text,
        b"c%d" % block: bytes(74) + text,
        b"r" + row: b"uri\xff" + text,
        b"t" + row: b"tag",
        b"gg1:%d" % block: text + b"codes",
        b"g:%d" % block: b"ours" + text,
        b"sg1:" + row: b"set",
        b"o:" + row: b"own",
    }


DELETED = {b"d00": b"x\xff", b"dff": b""}


def written(at: Place, blocks: int = 3, more: dict[int, dict[bytes, bytes]] | None = None) -> SegmentFiles:
    own = {NO_BLOCK: DELETED, **{block: fields_of(block) for block in range(blocks)}}
    writer = SegmentWriter(at, 0)
    for block, fields in own.items():
        writer.add(block, fields)
    for block, fields in (more or {}).items():
        own[block] = fields
        writer.add(block, fields)
    everything = {field: value for fields in own.values() for field, value in fields.items()}
    return writer.finish(9, blocks, sums_of(everything))


@pytest.mark.parametrize(
    ("field", "block", "kind"),
    [
        (b"n12", 12, "names"),
        (b"c0", 0, "catalog"),
        (b"r" + ROW, 7, "catalog"),
        (b"t" + ROW, 7, "catalog"),
        (b"gsome-id.2:12", 12, "some-id.2"),
        (b"g:12", 12, ""),
        (b"sg1:" + ROW, 7, "g1"),
        (b"o:" + ROW, 7, ""),
        (b"og1:" + b"::::", int.from_bytes(b"::::", "little") // 74, "g1"),
        (b"d3a", NO_BLOCK, "deleted"),
    ],
)
def test_a_field_names_its_block_and_its_kind(field: bytes, block: int, kind: str) -> None:
    assert (block_of(field), kind_of(field)) == (block, kind)


def test_sums_are_those_of_the_server() -> None:
    digest = int(hashlib.sha1(b"n1\0abc").hexdigest()[:12], 16)
    assert sums_of({b"n1": b"abc"}) == {"names": digest}
    both = sums_of({b"n1": b"abc", b"n2": b"d"})
    assert both == {"names": (digest + sums_of({b"n2": b"d"})["names"]) % 2**48}


@given(st.dictionaries(st.integers(0, 20), st.binary(max_size=50)), st.integers(1, 400))
def test_blocks_come_back_and_of_several_chunks_the_last(changed: dict[int, bytes], part_bytes: int) -> None:
    at = place()
    before, backup_files._PART_BYTES = backup_files._PART_BYTES, part_bytes
    try:
        files = written(at, 21, {block: fields_of(block, text) for block, text in changed.items()})
    finally:
        backup_files._PART_BYTES = before
    found = list(read_segment(at, files))
    assert len(found) == len(dict(found)) == 22
    assert dict(found) == {
        NO_BLOCK: DELETED,
        **{block: fields_of(block, changed.get(block, b"")) for block in range(21)},
    }


def test_blocks_that_are_no_more_are_left_out() -> None:
    at, writer = place(), None
    writer = SegmentWriter(at, 0)
    for block in range(5):
        writer.add(block, fields_of(block))
    files = writer.finish(1, 2, sums_of(fields_of(0) | fields_of(1)))
    assert dict(read_segment(at, files)) == {0: fields_of(0), 1: fields_of(1)}


def test_what_was_not_read_whole_is_not_finished() -> None:
    writer = SegmentWriter(place(), 3)
    writer.add(0, fields_of(0))
    right = sums_of(fields_of(0))
    for kind, shown in (
        ("names", "names"),
        ("g1", "g1"),
        ("", "the API's own items"),
        ("deleted", "deleted"),
    ):
        with pytest.raises(
            TaxohashError, match=f"segment 3 was read with other checksums of {shown} than it has"
        ):
            writer.finish(1, 1, right | {kind: (right.get(kind, 0) + 1) % 2**48})
    assert writer.finish(1, 1, right | {"empty": 0}).parts


def test_a_flipped_bit_anywhere_and_a_part_cut_anywhere_is_told(tmp_path: Path) -> None:
    at = Place.open(tmp_path, "backups")
    files = written(at)
    (part,) = files.parts
    whole = (tmp_path / part.name).read_bytes()
    for byte in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[byte] ^= 1 << byte % 8
        (tmp_path / part.name).write_bytes(broken)
        with pytest.raises(DamagedBackupError, match=r"segments/0-0 of the backup in .* is damaged"):
            list(read_segment(at, files))
        (tmp_path / part.name).write_bytes(whole[:byte])
        with pytest.raises(DamagedBackupError, match="is damaged"):
            list(read_segment(at, files))
    (tmp_path / part.name).unlink()
    with pytest.raises(DamagedBackupError, match="is missing"):
        list(read_segment(at, files))


def test_parts_that_were_written_with_other_sums_are_told(tmp_path: Path) -> None:
    at = Place.open(tmp_path, "backups")
    files = written(at)
    wrong = replace(files, sums=files.sums | {"g1": 1})
    with pytest.raises(DamagedBackupError, match="wrong checksums of g1"):
        list(read_segment(at, wrong))
    data = (tmp_path / files.parts[0].name).read_bytes() + b"more"
    at.write(files.parts[0].name, data)
    longer = replace(files.parts[0], sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    with pytest.raises(DamagedBackupError, match="does not have its form"):
        list(read_segment(at, replace(files, parts=(longer,))))


# -- manifest --------------------------------------------------------------------------------------


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    generation = GenerationFiles(
        folder="",
        id="g1",
        bits=64,
        taxonomy_sha256="0" * 64,
        state="published",
        files={"hasher.onnx": "1" * 64},
    )
    return Manifest(
        format=FORMAT, collection="c", incarnation="ab", created=1, labels="{}", history=("g1",),
        generations=(generation,), pictures="", segments=(written(Place.open(tmp_path, "backups")),),
    )  # fmt: skip


def test_a_manifest_comes_back(manifest: Manifest, tmp_path: Path) -> None:
    at = Place.open(tmp_path, "backups")
    with pytest.raises(TaxohashError, match="there is no backup in"):
        read_manifest(at)
    write_manifest(at, manifest)
    assert read_manifest(at) == manifest


def signed(text: str) -> bytes:
    """A manifest whose digest is right."""
    digest = hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()
    return f'{{"sha256": "{digest}", "manifest": {text}}}'.encode()


def test_a_damaged_manifest_is_told(manifest: Manifest, tmp_path: Path) -> None:
    at = Place.open(tmp_path, "backups")
    write_manifest(at, manifest)
    file = tmp_path / "manifest.json"
    whole = file.read_bytes()
    for byte in range(len(whole) - 2):
        broken = bytearray(whole)
        broken[byte] ^= 4
        for data in (broken, whole[:byte]):
            file.write_bytes(data)
            with pytest.raises(DamagedBackupError, match=r"the manifest of the backup in .* is damaged"):
                read_manifest(at)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"sha256": 1}', "[" * 100_000, "\xff"])
def test_what_is_no_manifest_is_told(text: str) -> None:
    at = place()
    at.write("manifest.json", text.encode("latin-1") or b" ")
    with pytest.raises(DamagedBackupError):
        read_manifest(at)


@pytest.mark.parametrize("text", ['{"format": 2}', "[]", "1"])
def test_a_manifest_of_another_release_is_told(text: str) -> None:
    at = place()
    at.write("manifest.json", signed(text))
    with pytest.raises(TaxohashError, match="is of another release"):
        read_manifest(at)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", ".", "a/b", ""])
def test_names_that_lead_elsewhere_are_refused(manifest: Manifest, name: str) -> None:
    at = place()
    for old in ('"hasher.onnx"', '"segments/0-0"', '"g1"'):
        at.write("manifest.json", signed(canonical(manifest).replace(old, json.dumps(name))))
        with pytest.raises(TaxohashError, match="is of another release"):
            read_manifest(at)
