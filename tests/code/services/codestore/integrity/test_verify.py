"""Whatever is damaged in a segment is found, and nothing else is."""

import json
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from services.codestore import CodeStore
from services.codestore.checksums import API_ITEMS, generation_sum, names_sum
from services.codestore.integrity.verify import Copy, Finding, Report, verify
from taxohash.errors import TaxohashError
from tests.support.stored import fill_collection, hash_of, set_field, some_items

# Of no answer: when the last write was.
_UNCHECKED = {b"stamp"}


@pytest.fixture
def store() -> Iterator[CodeStore]:
    with CodeStore.connect("memory://") as store:
        fill_collection(store, segments=2)
        yield store


@pytest.fixture(scope="module")
def mended() -> Iterator[CodeStore]:
    """One for all that mend what they damage."""
    with CodeStore.connect("memory://") as store:
        fill_collection(store, segments=2)
        yield store


def key_of(store: CodeStore, segment: int = 0) -> str:
    return store.described("c")[0].on(segment, "").keys[0]


def test_what_is_whole_has_no_findings(store: CodeStore) -> None:
    report = verify(store, "c")
    assert (report.findings, report.notes, report.exit_status) == ((), (), 0)
    assert report.published == "g1"
    assert report.items == store.count("c")
    assert report.positions == store.state("c").positions
    store.gc("c")
    store.delete("c", [item.id for item in some_items(range(0, 400, 2))])
    store.gc("c")
    assert verify(store, "c").findings == ()


@pytest.mark.parametrize("kind", ["n", "c", "r", "t", "d", "gg1:", "gg2:", "g:", "sg1:", "og2:", "s:", "="])
@pytest.mark.parametrize("how", ["flipped", "removed", "cut", "added"])
def test_each_field_of_an_item_that_is_damaged_is_found(mended: CodeStore, kind: str, how: str) -> None:
    store = mended
    random = np.random.default_rng(zlib.crc32(f"{kind} {how}".encode()))
    opened, _ = store.described("c")
    fields = hash_of(store, opened, 0)
    own = (b"generations", b"stamp", b"sum:", b"coded:", b"deleted")
    names = [name for name in fields if name.startswith(kind.encode()) and not name.startswith(own)]
    assert names
    for name in random.permutation(np.array(names, object))[:3]:
        value = bytearray(fields[name])
        value[random.integers(len(value))] ^= 1 << int(random.integers(8))
        damaged = {"flipped": bytes(value), "removed": None, "cut": fields[name][:-1], "added": fields[name]}[
            how
        ]
        set_field(store, key_of(store), name if how != "added" else name + b"9", damaged)
        report = verify(store, "c")
        assert report.findings, (name, how)
        assert {finding.segment for finding in report.findings} == {0}
        assert report.exit_status == 1
        set_field(store, key_of(store), name, fields[name])
        set_field(store, key_of(store), name + b"9", None)
        assert verify(store, "c").findings == ()


def test_each_field_of_the_segments_own_that_is_damaged_is_found(mended: CodeStore) -> None:
    store = mended
    opened, _ = store.described("c")
    fields = hash_of(store, opened, 0)
    starts = (b"open", b"generations", b"position", b"alive", b"deleted", b"sum:", b"members:", b"coded:")
    names = [name for name in fields if name.startswith(starts)]
    assert len(names) == 5 + 3 * 3 + 2
    for name in names:
        for damaged in (fields[name][:-1] + b"\x37" + fields[name][-1:], b"1" + fields[name], None):
            set_field(store, key_of(store), name, damaged)
            try:
                found = [str(finding) for finding in verify(store, "c").findings]
            except TaxohashError as error:
                found = [str(error)]
            assert found, name
            set_field(store, key_of(store), name, fields[name])
    assert verify(store, "c").findings == ()


def test_findings_are_told_in_words(store: CodeStore) -> None:
    opened, _ = store.described("c")
    name = next(name for name in hash_of(store, opened, 0) if name.startswith(b"="))
    set_field(store, key_of(store), name, None)
    texts = [str(finding) for finding in verify(store, "c").findings]
    assert texts[0] == f"segment 0, index: 1 ids lead nowhere, such as {name[1:].decode()!r} (block 0)"
    assert texts[1].startswith("segment 0, counts: there are ")


def test_a_lost_segment_is_one_finding(store: CodeStore) -> None:
    key = key_of(store, 1)
    store._connection.command("UNLINK", key)
    assert verify(store, "c").findings == (Finding(1, "segment", "its data are not there"),)
    assert verify(store, "c").positions[1] == -1


def test_writes_that_were_lost_since_the_publish_are_found(store: CodeStore) -> None:
    set_field(store, key_of(store), b"position", b"1")
    found = {str(finding) for finding in verify(store, "c").findings}
    assert "segment 0, position: it was at 6 when 'g2' was sealed and is at 1: writes are lost" in found


def test_a_sealed_generation_is_compared_with_its_seal(store: CodeStore) -> None:
    _, status = store.described("c")
    told = json.loads(status.generations["g2"].sealed)
    told["sums"][1] += 1
    set_field(store, "taxohash:{c}", b"sealed:g2", json.dumps(told).encode())
    assert verify(store, "c").findings == (Finding(1, "g2", "it is not as it was sealed"),)
    set_field(store, "taxohash:{c}", b"sealed:g2", b"{")
    assert len(verify(store, "c").findings) == 2


@pytest.mark.parametrize("name", ["history", "positions", "state:g1", "ref:g1", "taxonomy", "order"])
def test_damage_of_the_collections_own_keys_is_found_or_told_in_one_line(store: CodeStore, name: str) -> None:
    value = store._connection.command("HGET", "taxohash:{c}", name, key="taxohash:{c}")
    for damaged in (
        None,
        value[:-2],
        value[:1] + b"\x80" + value[2:],
        b"9" + value,
        value[: len(value) // 2],
    ):
        set_field(store, "taxohash:{c}", name.encode(), damaged)
        store._collections.clear()
        try:
            found = [str(finding) for finding in verify(store, "c").findings]
        except TaxohashError as error:
            found = [str(error)]
        assert found
        assert "\n" not in "".join(found)
        set_field(store, "taxohash:{c}", name.encode(), value)


def copy_of(store: CodeStore, generation: str) -> Copy:
    """As a serving process would say it."""
    opened, _ = store.described("c")
    sums, positions = [], []
    for segment in range(2):
        columns = store.page("c", generation, segment, 0, incarnation=opened.incarnation)
        ids = [item_id + b"\xff" for item_id in columns.ids.split(b"\xff")[:-1]]
        blocks = (b"".join(ids[first : first + 74]) for first in range(0, len(ids), 74))
        own = generation_sum(generation, columns.member, columns.coded, columns.labels, columns.codes)
        sums.append({"names": names_sum(blocks), generation: own})
        positions.append(columns.position)
    return Copy("pod 1", opened.incarnation, tuple(positions), tuple(sums), is_whole=False)


def test_a_serving_process_is_compared_where_it_is_at_the_same_position(store: CodeStore) -> None:
    copies = [copy_of(store, "g1"), copy_of(store, "g2")]
    report = verify(store, "c", copies)
    assert (report.findings, report.notes) == ((), ())
    opened, _ = store.described("c")
    field = next(name for name in hash_of(store, opened, 0) if name.startswith(b"gg2:"))
    value = hash_of(store, opened, 0)[field]
    set_field(store, key_of(store), field, value[:-1] + bytes([value[-1] ^ 1]))
    report = verify(store, "c", copies)
    assert {(finding.segment, finding.kind) for finding in report.findings} == {(0, "g2")}
    assert report.findings[-1].text.startswith("pod 1 has other bytes at position ")
    assert report.findings[-1].text.endswith("the store's are damaged")
    set_field(store, key_of(store), field, value)
    wrong = Copy("pod 2", copies[0].incarnation, copies[0].positions, ({"g1": 1}, {}), is_whole=False)
    assert verify(store, "c", [wrong]).findings[0].text.endswith("the store's are sound")
    store.upsert("c", some_items(range(900, 960)))
    report = verify(store, "c", copies[:1])
    assert report.findings == ()
    assert report.notes == ("pod 1 is at other positions of 2 of 2 segments: these were not compared",)
    elsewhere = Copy("pod 1", "0" * 32, copies[0].positions, copies[0].sums, is_whole=False)
    assert verify(store, "c", [elsewhere]).notes == (
        "pod 1 is of another collection of this name: nothing was compared",
    )


def test_which_generation_is_hit() -> None:
    def report(*kinds: str) -> Report:
        return Report("c", "g1", (1,), 1, tuple(Finding(0, kind, "") for kind in kinds), ())

    assert not report().hits("g1")
    assert not report("deleted", "g2").hits("g1")
    for kind in ("g1", API_ITEMS, "names", "catalog", "index", "counts", "position", "segment", "collection"):
        assert report(kind, "g2").hits("g1")
