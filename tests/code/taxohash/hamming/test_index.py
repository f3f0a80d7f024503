"""The index as its users see it: answers, changes, filters, files, threads, and how it refuses bad input."""

import json
import pickle
import resource
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from taxohash.codes import Codes
from taxohash.errors import TaxohashError
from taxohash.hamming import HammingIndex, arrange, index, layouts, moment
from taxohash.hamming import centres as centres_module
from taxohash.hamming.following import Following
from taxohash.hamming.storage import read_arrays, write_arrays
from taxohash.hamming.versions import Version, merged
from tests.support.hamming_oracle import (
    KINDS,
    WEIGHTS,
    distances,
    make_codes,
    make_weights,
    nearest,
    weighted_nearest,
)

BITS = 48


@pytest.fixture
def small_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred codes take the paths of millions."""
    monkeypatch.setattr(centres_module, "FEWEST_CODES", 300)
    monkeypatch.setattr(centres_module, "CODES_PER_CENTRE", 30)
    for module in (arrange, layouts):
        monkeypatch.setattr(module, "SLICE_FROM", 300)
    monkeypatch.setattr(index, "TAIL", (40, 8))
    monkeypatch.setattr(index, "DEAD", (40, 8))
    monkeypatch.setattr(moment, "LONG_K", 60)
    monkeypatch.setattr(moment, "SPLIT", 1000)


def assert_answers(
    made: HammingIndex, codes: Codes, queries: Codes, k: int, rows: npt.NDArray[np.int64]
) -> None:
    near, found = made.search(queries, k)
    wanted_near, wanted = nearest(codes, queries, k, rows)
    assert near.dtype == np.int32
    assert found.dtype == np.int64
    np.testing.assert_array_equal(near, wanted_near)
    np.testing.assert_array_equal(found, wanted)


class Changes(RuleBasedStateMachine):
    """Any order of changes, compactions and reloads: the index answers as a table of live codes does."""

    folder: Path

    @initialize(
        seed=st.integers(0, 2**32),
        kind=st.sampled_from(KINDS),
        count=st.sampled_from((0, 1, 50, 700)),
        gaps=st.sampled_from((0, 30, 9000)),
        arrange=st.booleans(),
    )
    def build(self, seed: int, kind: str, count: int, gaps: int, arrange: bool) -> None:
        self.rng, self.kind = np.random.default_rng(seed), kind
        self.codes, self.live = np.zeros((0, -(-BITS // 8)), np.uint8), np.zeros(0, np.bool_)
        self.red = np.zeros(0, np.bool_)  # an attribute that changes only when a row is put
        self.following: Following | None = None
        rows, codes = self.rng.permutation(count + gaps)[:count], make_codes(self.rng, count, BITS, kind)
        self.index = HammingIndex.build(codes, BITS, rows=rows if gaps else None, arrange=arrange)
        self.written(rows if gaps else np.arange(count), codes)

    def written(self, rows: npt.NDArray[np.int64], codes: Codes) -> None:
        more = max(0, int(rows.max(initial=-1)) + 1 - len(self.codes))
        self.codes = np.pad(self.codes, ((0, more), (0, 0)))
        self.live, self.red = np.pad(self.live, (0, more)), np.pad(self.red, (0, more))
        self.codes[rows], self.live[rows] = codes, True
        self.red[rows] = self.rng.random(len(rows)) < 0.2

    @rule(count=st.integers(0, 80))
    def add(self, count: int) -> None:
        more = make_codes(self.rng, count, BITS, self.kind)
        rows = self.index.add(more)
        np.testing.assert_array_equal(rows, np.arange(len(self.codes), len(self.codes) + count))
        self.written(rows, more)

    @rule(count=st.integers(0, 60), beyond=st.sampled_from((0, 5, 500)), gone=st.integers(0, 20))
    def change(self, count: int, beyond: int, gone: int) -> None:
        known = len(self.codes)
        rows = self.rng.permutation(known + beyond)[:count]
        removed = self.rng.permutation(np.setdiff1d(np.arange(known), rows))[:gone]
        codes = make_codes(self.rng, len(rows), BITS, self.kind)
        if gone:
            self.index.change(rows, codes, removed)
        else:
            self.index.put(rows, codes)
            removed = removed[:0]
        self.written(rows, codes)
        self.live[removed] = False

    @rule(count=st.integers(0, 60))
    def remove(self, count: int) -> None:
        rows = self.rng.integers(0, max(len(self.codes), 1), count if len(self.codes) else 0)
        self.index.remove(rows)
        self.live[rows] = False

    @rule(count=st.integers(0, 60))
    def update(self, count: int) -> None:
        rows = self.rng.permutation(np.flatnonzero(self.live))[:count]
        codes = make_codes(self.rng, len(rows), BITS, self.kind)
        self.index.update(rows, codes)
        self.written(rows, codes)

    @rule()
    def compact(self) -> None:
        self.index.compact()
        assert self.index.stats()["tail"] == 0

    @rule(mmap=st.booleans())
    def reload(self, mmap: bool) -> None:
        self.index.save(self.folder / "index")
        self.index = HammingIndex.load(self.folder / "index", mmap=mmap)

    @rule(
        k=st.sampled_from((1, 10, 61, 10_000)),
        share=st.sampled_from((0, 0.01, 0.2, 0.8)),
        form=st.integers(0, 2),
    )
    def filter(self, k: int, share: float, form: int) -> None:
        mask = self.rng.random(len(self.codes)) < share
        allowed = (mask, np.flatnonzero(mask), self.index.select(mask))[form]
        queries = make_codes(self.rng, 3, BITS, self.kind)
        near, rows = self.index.search(queries, k, allowed=allowed)
        wanted = nearest(self.codes, queries, k, np.flatnonzero(mask & self.live))
        np.testing.assert_array_equal(near, wanted[0])
        np.testing.assert_array_equal(rows, wanted[1])

    @rule(k=st.sampled_from((1, 10, 61)))
    def follow(self, k: int) -> None:
        moment = self.index.moment()
        self.following = moment.follow(self.following, lambda rows: self.red[rows])
        queries = make_codes(self.rng, 3, BITS, self.kind)
        wanted = nearest(self.codes, queries, k, np.flatnonzero(self.red & self.live))
        for found, right in zip(moment.search(queries, k, self.following), wanted, strict=True):
            np.testing.assert_array_equal(found, right)

    @rule(radius=st.integers(0, BITS))
    def radius(self, radius: int) -> None:
        queries = make_codes(self.rng, 3, BITS, self.kind)
        limits, near, rows = self.index.range_search(queries, radius)
        full_near, full = nearest(self.codes, queries, len(self.codes), np.flatnonzero(self.live))
        for i in range(3):
            inside = full_near[i] <= radius
            np.testing.assert_array_equal(near[limits[i] : limits[i + 1]], full_near[i][inside])
            np.testing.assert_array_equal(rows[limits[i] : limits[i + 1]], full[i][inside])

    @rule(
        k=st.sampled_from((1, 10, 61, 10_000)),
        share=st.sampled_from((0, 0.01, 0.2, 0.8, 1)),
        form=st.integers(0, 2),
        weighing=st.sampled_from(WEIGHTS),
        threads=st.sampled_from((1, 3)),
    )
    def weighted(self, k: int, share: float, form: int, weighing: str, threads: int) -> None:
        mask = self.rng.random(len(self.codes)) < share
        allowed = (mask, np.flatnonzero(mask), self.index.select(mask))[form]
        queries = make_codes(self.rng, 3, BITS, self.kind)
        weights = make_weights(self.rng, 3, BITS, weighing)
        full_near, full = weighted_nearest(
            self.codes, queries, weights, len(self.codes), np.flatnonzero(mask & self.live)
        )
        near, rows = self.index.search(queries, k, allowed, threads, weights)
        np.testing.assert_array_equal(near, full_near[:, :k])
        np.testing.assert_array_equal(rows, full[:, :k])
        found = self.index.moment().search_weighted(queries, weights, k, allowed, threads)
        np.testing.assert_array_equal(found[0], full_near[:, :k])
        np.testing.assert_array_equal(found[2], full[:, :k])
        for query, plain, own in zip(queries, *found[1:], strict=True):
            np.testing.assert_array_equal(plain, distances(self.codes[own], query))
        some = self.rng.permutation(full[0])[:k]  # what each of some rows is away, in any order
        by_row = dict(zip(full[0].tolist(), full_near[0].tolist(), strict=True))
        assert self.index.distances(queries[:1], some, weights[:1]).tolist() == [
            by_row[row] for row in some.tolist()
        ]
        np.testing.assert_array_equal(
            self.index.distances(queries[1:2], some), distances(self.codes[some], queries[1])
        )
        radius = float(full_near[0, min(k, full.shape[1]) - 1]) if full.size else 1.0
        limits, near, rows = self.index.range_search(queries, radius, allowed, threads, weights)
        for i in range(3):
            inside = full_near[i] <= radius
            np.testing.assert_array_equal(near[limits[i] : limits[i + 1]], full_near[i][inside])
            np.testing.assert_array_equal(rows[limits[i] : limits[i + 1]], full[i][inside])

    @rule(count=st.sampled_from((0, 1, 30, 10_000)), share=st.sampled_from((0, 0.2, 1)))
    def look(self, count: int, share: float) -> None:
        live, moment = np.flatnonzero(self.live), self.index.moment()
        rows = self.rng.permutation(np.repeat(live, 2))[:count]  # some of them twice
        np.testing.assert_array_equal(moment.codes(rows), self.codes[rows])
        for gone in np.flatnonzero(~self.live)[:2]:
            with pytest.raises(TaxohashError, match=f"row {gone} is not there"):
                moment.codes([*rows, gone])
        query = make_codes(self.rng, 1, BITS, self.kind)
        mask = self.rng.random(len(self.codes)) < share
        for allowed, among in ((None, live), (mask, np.flatnonzero(mask & self.live))):
            counts = np.bincount(distances(self.codes[among], query[0]), minlength=BITS + 1)
            np.testing.assert_array_equal(moment.histogram(query, allowed), counts)

    @invariant()
    def answers(self) -> None:
        live = np.flatnonzero(self.live)
        assert len(self.index) == len(live)
        assert self.index.rows == len(self.codes)
        queries = make_codes(self.rng, 2, BITS, self.kind)
        for k in (1, 10, 100):
            assert_answers(self.index, self.codes, queries, k, live)


def test_any_order_of_changes(small_thresholds: None, tmp_path: Path) -> None:
    Changes.folder = tmp_path
    run_state_machine_as_test(
        Changes, settings=settings(max_examples=25, stateful_step_count=12, deadline=None)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [48, 64, 128])
def test_distances_are_those_of_faiss(kind: str, bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes, queries = make_codes(rng, 25_000, bits, kind), make_codes(rng, 20, bits, kind)
    peer = faiss.IndexBinaryFlat(bits)
    peer.add(codes)
    made = HammingIndex.build(codes, bits)
    for k in (1, 10, 100):
        for asked in (queries, queries[:1]):
            np.testing.assert_array_equal(made.search(asked, k)[0], peer.search(asked, k)[0])
    limits, near, _ = made.range_search(queries, 6)
    peer_limits, peer_near, _ = peer.range_search(queries, 7)  # FAISS's radius is exclusive
    np.testing.assert_array_equal(limits, peer_limits)
    for i in range(len(queries)):
        span = slice(limits[i], limits[i + 1])
        np.testing.assert_array_equal(near[span], np.sort(peer_near[span]))


def test_ties_among_thousands_of_copies_fall_by_row_whatever_was_changed() -> None:
    rng = np.random.default_rng(6)
    codes = make_codes(rng, 30_000, 64, "duplicates")
    made = HammingIndex.build(codes, 64)
    assert made.stats()["layout"] == "rings"
    flips = np.packbits(rng.random((30, 64)) < 0.03, axis=1)
    queries = np.concatenate(
        [make_codes(rng, 5, 64, "duplicates"), make_codes(rng, 30, 64, "duplicates") ^ flips]
    )
    for _ in range(3):
        for k in (1, 10, 300):
            assert_answers(made, codes, queries, k, np.arange(len(codes)))
        rows = rng.permutation(len(codes))[:2000]
        codes[rows] = make_codes(rng, len(rows), 64, "duplicates")
        made.update(rows, codes[rows])
        made.compact()
    assert made.search(queries, 10)[0].shape == (35, 10)
    assert made.stats()["touched"] < 35 * len(codes) / 5  # not every copy is looked at


@pytest.mark.parametrize("kind", ["uniform", "clustered"])
def test_what_must_not_matter(kind: str) -> None:
    """XOR of everything with one mask, and a permutation of the bits, change no answer; rows follow their codes."""
    rng = np.random.default_rng(1)
    codes, queries = make_codes(rng, 25_000, 64, kind), make_codes(rng, 12, 64, kind)
    near, rows = HammingIndex.build(codes, 64).search(queries, 50)
    mask = make_codes(rng, 1, 64, "uniform")
    order = rng.permutation(64)

    def permuted(some: Codes) -> Codes:
        return np.packbits(np.unpackbits(some, axis=1)[:, order], axis=1)

    changes: tuple[Callable[[Codes], Codes], ...] = (lambda some: some ^ mask, permuted)
    for change in changes:
        again = HammingIndex.build(change(codes), 64).search(change(queries), 50)
        np.testing.assert_array_equal(again[0], near)
        np.testing.assert_array_equal(again[1], rows)
    shuffle = rng.permutation(len(codes))
    again_near, again_rows = HammingIndex.build(codes[shuffle], 64).search(queries, 50)
    np.testing.assert_array_equal(again_near, near)
    for i in range(len(queries)):  # equal distances may fall in another order: by their new rows
        assert all(np.all(np.diff(again_rows[i][near[i] == d]) > 0) for d in near[i])
        sure = near[i] < near[i][-1]  # the last distance may have had more rows than there was room for
        assert set(shuffle[again_rows[i][sure]]) == set(rows[i][sure])


@pytest.mark.parametrize("kind", ["uniform", "clustered"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
def test_a_filter_is_the_full_ranking_without_the_others(kind: str, share: float) -> None:
    rng = np.random.default_rng(2)
    codes, queries = make_codes(rng, 25_000, 64, kind), make_codes(rng, 3, 64, kind)
    made = HammingIndex.build(codes, 64)
    near, rows = made.search(queries, len(codes))
    mask = rng.random(len(codes)) < share
    for allowed in (mask, np.flatnonzero(mask), made.select(mask)):
        for _ in range(2):
            found_near, found = made.search(queries, 10, allowed=allowed)
            assert found.shape == (3, min(10, mask.sum()))
            for i in range(3):
                kept = mask[rows[i]]
                np.testing.assert_array_equal(found[i], rows[i][kept][:10])
                np.testing.assert_array_equal(found_near[i], near[i][kept][:10])


@settings(max_examples=20)
@given(st.integers(0, 3), st.integers(0, 5), st.integers(0, 4))
def test_nothing_to_find(count: int, k: int, queries: int) -> None:
    rng = np.random.default_rng(count)
    made = HammingIndex.build(make_codes(rng, count, BITS, "uniform"), BITS)
    near, rows = made.search(make_codes(rng, queries, BITS, "uniform"), k)
    assert near.shape == rows.shape == (queries, min(k, count))
    near, rows = made.search(make_codes(rng, queries, BITS, "uniform"), k, allowed=[])
    assert near.shape == rows.shape == (queries, 0)


@pytest.mark.parametrize("kind", ["uniform", "clustered"])
def test_a_moment_tells_what_its_own_last_search_did(kind: str) -> None:
    rng = np.random.default_rng(4)
    made = HammingIndex.build(make_codes(rng, 25_000, 64, kind), 64)
    one, other = made.moment(), made.moment()
    one.search(make_codes(rng, 3, 64, kind))
    other.search(make_codes(rng, 1, 64, kind), k=5000)
    assert (one.touched["path"], one.touched["queries"]) == (made.stats()["layout"], 3)
    assert other.touched == {"path": one.touched["path"], "queries": 1, "touched": 25_000}
    assert made.stats()["queries"] == 1  # of whoever was last
    with pytest.raises(TaxohashError, match="2 queries: ask for the distances of one"):
        one.histogram(make_codes(rng, 2, 64, kind))


@pytest.mark.parametrize("kind", ["uniform", "clustered"])
def test_threads_share_the_work(kind: str, small_thresholds: None) -> None:
    rng = np.random.default_rng(3)
    codes, queries = make_codes(rng, 9000, 64, kind), make_codes(rng, 13, 64, kind)
    made = HammingIndex.build(codes, 64)
    for asked in (queries, queries[:1], queries[:2]):
        for one, three in zip(made.search(asked, 20), made.search(asked, 20, threads=3), strict=True):
            np.testing.assert_array_equal(one, three)
        for one, three in zip(
            made.range_search(asked, 9), made.range_search(asked, 9, threads=3), strict=True
        ):
            np.testing.assert_array_equal(one, three)


def test_a_search_sees_one_state_while_others_change_the_index(small_thresholds: None) -> None:
    """A writer moves pairs of rows between two codes together: no search may see one moved and the other not."""
    rng = np.random.default_rng(4)
    made = HammingIndex.build(make_codes(rng, 400, 64, "uniform"), 64)
    left, right = np.zeros((1, 8), np.uint8), np.full((1, 8), 255, np.uint8)
    pair = made.add(np.concatenate([left, left]))
    stop, torn = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            _, rows = made.search(left, 2)
            if len(set(rows[0]) & set(pair)) == 1:
                torn.append(rows)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for step in range(300):
        made.update(pair, np.concatenate([right, right] if step % 2 == 0 else [left, left]))
        made.add(make_codes(rng, 3, 64, "uniform"))
        made.remove([step])
    stop.set()
    for reader in readers:
        reader.join()
    assert not torn
    assert len(made) == 402 + 900 - 300
    made.compact()
    np.testing.assert_array_equal(made.search(left, 2)[1], [pair])


def test_a_change_is_seen_whole_and_a_moment_stays(small_thresholds: None) -> None:
    """A writer moves one code from row to row, removing the old: every moment finds it exactly once, and again."""
    rng = np.random.default_rng(14)
    made = HammingIndex.build(make_codes(rng, 400, 64, "uniform"), 64, rows=np.arange(400) + 50)
    code = np.zeros((1, 8), np.uint8)
    made.put([0], code)
    stop, wrong = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            moment = made.moment()
            limits, _, rows = moment.range_search(code, 0)
            again = moment.search(code, 1)[1]
            if limits[1] != 1 or again[0, 0] != rows[0] or len(moment) != 401:
                wrong.append((rows, again))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for step in range(1, 400):
        made.change([step % 50], code, [(step - 1) % 50])
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_a_selection_follows_one_moment_only() -> None:
    codes = make_codes(np.random.default_rng(3), 50, 64, "uniform")
    made = HammingIndex.build(codes, 64)
    moment = made.moment()
    following = moment.follow(None, lambda rows: np.arange(50)[rows] < 7)
    assert moment.search(codes[:1], 9, following)[1].size == 7
    made.remove([3])
    with pytest.raises(TaxohashError, match="another moment"):
        made.search(codes[:1], 9, following)
    assert made.moment().follow(following, lambda rows: np.arange(50)[rows] < 7).nbytes > 0


def test_rows_put_and_removed_for_ever_take_no_more_memory() -> None:
    rng = np.random.default_rng(15)
    rows = rng.permutation(40_000)[:30_000]
    made = HammingIndex.build(make_codes(rng, len(rows), 64, "clustered"), 64, rows=rows)
    fresh, layout = made.stats()["bytes"], made.stats()["layout"]
    for _ in range(10):
        for part in np.array_split(rng.permutation(rows), 6):
            made.remove(part)
            made.put(part, make_codes(rng, len(part), 64, "clustered"))
    made.compact()
    assert (made.stats()["layout"], len(made), made.rows) == (layout, len(rows), int(rows.max()) + 1)
    assert made.stats()["bytes"] <= 1.1 * fresh


def test_codes_that_were_replaced_are_arranged_anew() -> None:
    """Codes without structure come in rings' stead, and the other way round, though their number stays."""
    rng = np.random.default_rng(16)
    made = HammingIndex.build(make_codes(rng, 25_000, 64, "clustered"), 64, arrange=False)
    assert made.stats()["layout"] == "flat"
    made.compact()
    for kind, layout in (("clustered", "rings"), ("uniform", "sliced"), ("clustered", "rings")):
        made.put(np.arange(25_000), make_codes(rng, 25_000, 64, kind))
        made.put([3], make_codes(rng, 1, 64, kind))
        made.compact()
        assert made.stats()["layout"] == layout


def test_changes_during_a_compaction_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    codes = make_codes(rng, 500, 64, "uniform")
    made = HammingIndex.build(codes, 64)
    added = make_codes(rng, 30, 64, "uniform")
    made.add(added[:20])

    def meanwhile(version: Version) -> layouts.Layout:
        made.add(added[20:])
        made.remove([3, 501])
        made.update([4, 502], added[:2])
        return merged(version)

    monkeypatch.setattr(index, "merged", meanwhile)
    made.compact()
    table = np.concatenate([codes, added])
    table[[4, 502]] = added[:2]
    live = np.setdiff1d(np.arange(530), [3, 501])
    assert_answers(made, table, make_codes(rng, 9, 64, "uniform"), 40, live)
    monkeypatch.undo()
    made.compact()
    assert_answers(made, table, make_codes(rng, 9, 64, "uniform"), 40, live)


def test_the_callers_arrays_stay_his() -> None:
    for count in (10, 9000):
        codes = make_codes(np.random.default_rng(6), count, 64, "uniform")
        made = HammingIndex.build(codes, 64)
        first = codes[:1].copy()
        codes[:] = 0
        assert made.search(first, 1)[0][0, 0] == 0


def test_codes_may_be_read_only_or_unaligned() -> None:
    codes = make_codes(np.random.default_rng(7), 100, 64, "uniform")
    frozen = np.frombuffer(b"x" + codes.tobytes(), dtype=np.uint8)[1:].reshape(100, 8)
    np.testing.assert_array_equal(HammingIndex.build(frozen, 64).search(frozen[:2], 1)[1], [[0], [1]])


def test_memory_is_a_few_bytes_a_code_beyond_the_code() -> None:
    rng = np.random.default_rng(8)
    for kind in ("uniform", "clustered"):
        made = HammingIndex.build(make_codes(rng, 100_000, 64, kind), 64)
        assert made.stats()["bytes_per_code"] <= 8 + 6


def test_stats_tell_what_a_search_did() -> None:
    rng = np.random.default_rng(9)
    made = HammingIndex.build(make_codes(rng, 50, 64, "uniform"), 64)
    made.search(make_codes(rng, 3, 64, "uniform"))
    stats = made.stats()
    assert (stats["rows"], stats["live"], stats["queries"], stats["touched"]) == (50, 50, 3, 150)
    assert stats["path"] == stats["layout"] == "flat"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda i: HammingIndex.build(np.zeros((2, 1), np.uint8), 7), "bits is 7"),
        (lambda i: HammingIndex.build(np.zeros((2, 1), np.uint8), 1025), "bits is 1025"),
        (
            lambda i: HammingIndex.build(np.zeros((2, 5), np.uint8), 48),
            r"codes are uint8\[2, 5\]: 48 bits need uint8\[N, 6\]",
        ),
        (lambda i: HammingIndex.build(np.zeros((2, 6)), 48), "codes are float64"),
        (lambda i: HammingIndex.build(np.full((2, 6), 255, np.uint8), 45), "beyond the first 45"),
        (
            lambda i: HammingIndex.build(np.zeros((2, 6), np.uint8), 48, centres=np.zeros((1, 5), np.uint8)),
            "centres",
        ),
        (lambda i: i.search(np.zeros((1, 5), np.uint8)), "queries are uint8"),
        (lambda i: i.search(np.zeros((1, 6), np.uint8), k=-1), "k is -1"),
        (lambda i: i.search(np.zeros((1, 6), np.uint8), threads=0), "threads 0"),
        (lambda i: i.search(np.zeros((1, 6), np.uint8), allowed=[20]), "allowed rows hold 20"),
        (lambda i: i.search(np.zeros((1, 6), np.uint8), allowed=[-1]), "allowed rows hold -1"),
        (lambda i: i.search(np.zeros((1, 6), np.uint8), allowed=np.ones(7, bool)), r"mask has shape \(7,\)"),
        (lambda i: i.search(np.zeros((1, 6), np.uint8), allowed=[0.5]), "pass a one-dimensional array"),
        (lambda i: i.range_search(np.zeros((1, 6), np.uint8), -1), "radius is -1"),
        (lambda i: i.range_search(np.zeros((1, 6), np.uint8), float("nan")), "radius is nan"),
        (lambda i: _weighted(i, np.ones((1, BITS))), r"weights are float64\[1, 48\]: pass float32\[1, 48\]"),
        (lambda i: _weighted(i, np.ones((1, 47), np.float32)), r"weights are float32\[1, 47\]"),
        (lambda i: _weighted(i, np.ones((2, BITS), np.float32)), r"weights are float32\[2, 48\]"),
        (lambda i: _weighted(i, np.ones(BITS, np.float32)), r"weights are float32\[48\]"),
        (lambda i: _weighted(i, [["a"] * BITS]), "weights are <U1"),
        (
            lambda i: _weighted(i, np.full((1, BITS), -1e-30, np.float32)),
            "weights hold -1.*e-30: pass finite",
        ),
        (lambda i: _weighted(i, np.full((1, BITS), np.nan, np.float32)), "weights hold nan"),
        (lambda i: _weighted(i, np.full((1, BITS), np.inf, np.float32)), "weights hold inf"),
        (
            lambda i: i.range_search(
                np.zeros((1, 6), np.uint8), -0.5, weights=np.ones((1, BITS), np.float32)
            ),
            "radius is -0.5",
        ),
        (lambda i: i.distances(np.zeros((1, 6), np.uint8), [3, 9]), "1 of 2 rows are there, for 1 queries"),
        (lambda i: i.distances(np.zeros((1, 6), np.uint8), [3, 3]), "1 of 2 rows are there"),
        (lambda i: i.distances(np.zeros((2, 6), np.uint8), [3]), "1 of 1 rows are there, for 2 queries"),
        (lambda i: i.distances(np.zeros((1, 6), np.uint8), [20]), "rows hold 20"),
        (lambda i: i.remove([20]), "rows hold 20"),
        (lambda i: i.put([3, 3], np.zeros((2, 6), np.uint8)), "each row once"),
        (lambda i: i.put([3, 4], np.zeros((1, 6), np.uint8)), "one code a row"),
        (lambda i: i.put([-1], np.zeros((1, 6), np.uint8)), "rows hold -1"),
        (lambda i: i.put([2**32 - 1], np.zeros((1, 6), np.uint8)), "rows hold 4294967295"),
        (lambda i: i.change([3], np.zeros((1, 6), np.uint8), [3]), "put and removed in one change"),
        (lambda i: i.change([3], np.zeros((1, 6), np.uint8), [10]), "removed rows hold 10"),
        (lambda i: HammingIndex.build(np.zeros((2, 6), np.uint8), 48, rows=[7, 7]), "each row once"),
        (lambda i: HammingIndex.build(np.zeros((2, 6), np.uint8), 48, rows=[7]), "one code a row"),
        (lambda i: i.update([0, 0], np.zeros((2, 6), np.uint8)), "each row once"),
        (lambda i: i.update([0], np.zeros((2, 6), np.uint8)), "one code a row"),
        (lambda i: i.update([9], np.zeros((1, 6), np.uint8)), "not all of the 1 rows exist"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(act: Callable[[HammingIndex], object], message: str) -> None:
    codes = make_codes(np.random.default_rng(10), 10, BITS, "uniform")
    made = HammingIndex.build(codes, BITS)
    made.remove([9])
    with pytest.raises(TaxohashError, match=message):
        act(made)
    assert_answers(made, codes, codes[:2], 10, np.arange(9))


def _weighted(index: HammingIndex, weights: npt.ArrayLike) -> None:
    index.search(np.zeros((1, 6), np.uint8), weights=weights)


def test_a_full_disk_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "index"
    small, large = (make_codes(np.random.default_rng(11), count, 64, "uniform") for count in (100, 100_000))
    HammingIndex.build(small, 64).save(path)
    before = path.read_bytes()
    allowed, ceiling = resource.getrlimit(resource.RLIMIT_FSIZE)
    asked = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, ceiling))  # as a disk that is full: a write fails
    try:
        with pytest.raises(TaxohashError, match=r"index cannot be written \(File too large\)"):
            HammingIndex.build(large, 64).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, ceiling))
        signal.signal(signal.SIGXFSZ, asked)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index"
    HammingIndex.build(make_codes(np.random.default_rng(11), 100, 64, "uniform"), 64).save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]
    whole = path.read_bytes()
    for damaged, message in (
        (whole[:-1], "has .* bytes"),
        (b"PK" + whole, "no Hamming index"),
        (b"", "no Hamming"),
        (whole[:12], "no Hamming"),
        (whole[:60], "header"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(TaxohashError, match=message):
            HammingIndex.load(path)
    for absent in (tmp_path / "absent", tmp_path):
        with pytest.raises(TaxohashError, match="cannot be read"):
            HammingIndex.load(absent)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("layout", ["flat", "sliced", "rings"])
def test_any_changed_byte_of_a_file_is_refused(tmp_path: Path, layout: str, mmap: bool) -> None:
    rng, path = np.random.default_rng(5), tmp_path / "index"
    made = _index_of(layout)
    made.save(path)
    whole = path.read_bytes()
    header = 64 + int.from_bytes(whole[8:16], "little")
    places = [*range(0, header, 7), *rng.integers(0, len(whole), 100).tolist()]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            survivor = HammingIndex.load(path, mmap=mmap)
        except TaxohashError:
            continue
        asked = make_codes(rng, 3, 64, "uniform")  # only what lies between two arrays may change unseen
        for found, wanted in zip(survivor.search(asked, 9), made.search(asked, 9), strict=True):
            np.testing.assert_array_equal(found, wanted)


WRONG_HEADERS: dict[str, dict[str, object]] = {
    "a code too many": {"count": 30_001},
    "a code too few": {"count": 29_999},
    "another length of codes": {"bits": 128},
    "no length of codes": {"bits": "64"},
    "another layout": {"layout": "flat"},
    "no layout": {"layout": None},
    "dead codes": {"dead": 1},
    "removed codes": {"removed": 1},
    "fewer rows than codes": {"end": 29_999},
    "a field more": {"more": 1},
}


@pytest.mark.parametrize("change", WRONG_HEADERS.values(), ids=WRONG_HEADERS)
@pytest.mark.parametrize("layout", ["sliced", "rings"])
def test_a_header_that_does_not_fit_its_arrays_is_refused(
    tmp_path: Path, layout: str, change: dict[str, object]
) -> None:
    path = tmp_path / "index"
    _index_of(layout).save(path)
    header, arrays = read_arrays(path, mmap=False)
    write_arrays(path, {**header, **change}, arrays)
    with pytest.raises(TaxohashError, match="damaged or truncated") as refusal:
        HammingIndex.load(path)
    assert "\n" not in str(refusal.value)


WRONG_ARRAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "an array of another kind": ("tail_rows", lambda a: a.astype(np.int64)),
    "fewer flags than rows": ("alive", lambda a: a[:100]),
    "a row twice": ("base_rows", lambda a: np.concatenate([a[1:], a[1:2]])),
    "a row beyond the last": ("base_rows", lambda a: np.concatenate([a[1:], a[:1] + 2**31])),
    "offsets that do not ascend": ("base_offsets", lambda a: np.ascontiguousarray(a[::-1])),
    "a ring between two cells": (
        "base_offsets",
        lambda a: np.concatenate([a[:1], np.maximum(a[1:], a[1][a[1] > a[1, 0]].min())]),
    ),
    "offsets beyond the codes": ("base_offsets", lambda a: a + np.uint32(1)),
    "too few centres": ("base_centres", lambda a: a[:-1]),
    "groups beyond the centres": ("base_ends", lambda a: a + 1),
    "too few codes": ("base_codes", lambda a: a[:-1]),
    "flags of another kind": ("alive", lambda a: a[: a.size // 8 * 8].view(np.uint64)),
    "groups beyond 64 bits": (
        "base_ends",
        lambda a: np.concatenate([a[:-1], [5, np.iinfo(np.int64).min + 1]]),
    ),
    "no centres": ("base_centres", lambda a: a[:0]),
    "a centre that is not its codes'": (
        "base_centres",
        lambda a: a ^ (np.arange(a.size) == 0).astype(a.dtype),
    ),
    "a code in another ring than its own": (
        "base_codes",
        lambda a: a ^ (np.arange(a.size) == 0).astype(a.dtype),
    ),
    "rows that do not ascend in a ring": ("base_rows", lambda a: np.ascontiguousarray(a[::-1])),
}


@pytest.mark.parametrize(("name", "change"), WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_arrays_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, name: str, change: Callable[[Any], Any]
) -> None:
    path = tmp_path / "index"
    _index_of("rings").save(path)
    header, arrays = read_arrays(path, mmap=False)
    write_arrays(path, header, {**arrays, name: change(arrays[name])})
    with pytest.raises(TaxohashError, match="damaged or truncated"):
        HammingIndex.load(path)
    write_arrays(path, header, {other: array for other, array in arrays.items() if other != name})
    with pytest.raises(TaxohashError, match="damaged or truncated"):
        HammingIndex.load(path)


@pytest.mark.parametrize(
    ("layout", "name", "change", "said"),
    [
        ("flat", "base_codes", lambda a: a | np.uint64(1 << 63), "bits beyond the first 44"),
        ("flat", "base_rows", lambda a: np.ascontiguousarray(a[::-1]), "rows that do not ascend"),
        ("flat", "tail_codes", lambda a: a | np.uint64(1 << 63), "bits beyond the first 44"),
        (
            "sliced",
            "base_blocks",
            lambda a: a ^ (np.arange(a.size) == 9).astype(a.dtype),
            "do not count the bits",
        ),
        ("sliced", "base_rows", lambda a: np.ascontiguousarray(a[::-1]), "rows that do not ascend"),
        ("rings", "base_centres", lambda a: a | np.uint64(1 << 63), "bits beyond the first 44"),
    ],
)
def test_codes_that_no_search_would_find_are_refused(
    small_thresholds: None, tmp_path: Path, layout: str, name: str, change: Callable[[Any], Any], said: str
) -> None:
    """Of 44 bits, in which a distance above 44 would be counted beyond the counters."""
    path, bits = tmp_path / "index", 44
    count, kind = {"flat": (200, "uniform"), "sliced": (400, "uniform"), "rings": (400, "clustered")}[layout]
    made = HammingIndex.build(make_codes(np.random.default_rng(1), count, bits, kind), bits)
    made.remove([0])
    made.compact()
    made.add(make_codes(np.random.default_rng(2), 3, bits, kind))
    assert made.stats()["layout"] == layout
    made.save(path)
    header, arrays = read_arrays(path, mmap=False)
    write_arrays(path, header, {**arrays, name: change(arrays[name])})
    with pytest.raises(TaxohashError, match=said):
        HammingIndex.load(path)


@pytest.mark.parametrize("shape", [[0, 2**63], [2**62, 4, 0], "8", [-1], [0.5], ["a\nb"], None, 8])
def test_arrays_of_odd_shapes_are_refused_in_one_line(tmp_path: Path, shape: object) -> None:
    _refused_place(tmp_path, {"shape": shape})


@pytest.mark.parametrize(
    "place", [{"offset": "a\nb"}, {"offset": 2**64}, {"dtype": ["<u8"]}, {"dtype": "|O"}, {"crc32": None}]
)
def test_arrays_at_odd_places_are_refused_in_one_line(tmp_path: Path, place: dict[str, object]) -> None:
    _refused_place(tmp_path, place)


def _refused_place(tmp_path: Path, change: dict[str, object]) -> None:
    """Load an index whose header, checksum included, says something else of its flags."""
    path = tmp_path / "index"
    _index_of("flat").save(path)
    data = path.read_bytes()
    length = int.from_bytes(data[8:16], "little")
    header = json.loads(data[20 : 20 + length])
    header["arrays"]["alive"] |= change
    text = json.dumps(header).encode()
    lead = data[:8] + struct.pack("<QI", len(text), zlib.crc32(text)) + text
    path.write_bytes(lead + bytes(-len(lead) % 64) + data[-(-(20 + length) // 64) * 64 :])
    with pytest.raises(TaxohashError, match="damaged or truncated") as refusal:
        HammingIndex.load(path)
    assert len(str(refusal.value).splitlines()) == 1


def _index_of(layout: str) -> HammingIndex:
    shape = "clustered" if layout == "rings" else "uniform"
    count = 1_000 if layout == "flat" else 30_000
    index = HammingIndex.build(make_codes(np.random.default_rng(11), count, 64, shape), 64)
    assert index.stats()["layout"] == layout
    return index


def test_a_selection_of_another_index_is_refused() -> None:
    codes = make_codes(np.random.default_rng(3), 50, 64, "uniform")
    first, second = HammingIndex.build(codes, 64), HammingIndex.build(codes, 64)
    selection = first.select(np.arange(7))
    assert first.search(codes[:1], 9, allowed=selection)[1].size == 7
    with pytest.raises(TaxohashError, match="another index"):
        second.search(codes[:1], 9, allowed=selection)
    with pytest.raises(TaxohashError, match="another index"):
        second.range_search(codes[:1], 9, allowed=selection)


FORKING = """
import os, sys, threading
import numpy as np
from taxohash.hamming import HammingIndex

codes = np.random.default_rng(0).integers(0, 256, (40_000, 8), np.uint8)
index = HammingIndex.build(codes, 64)
expected = index.search(codes[:50], 5, threads=2)  # the pool's threads run now
index._lock.acquire()  # as a thread that changes the index holds them, which the child has not
index._compacting.acquire()
child = os.fork()
if child == 0:
    found = index.search(codes[:50], 5, threads=2)
    same = all((one == other).all() for one, other in zip(found, expected))
    rows = index.add(codes[:5000])
    index.compact()
    os._exit(0 if same and rows[0] == 40_000 and index.stats()["tail"] == 0 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_searches_and_changes_what_its_parent_had() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_an_index_is_not_pickled_but_says_what_to_do() -> None:
    index = HammingIndex.build(np.zeros((2, 2), np.uint8), bits=16)
    with pytest.raises(TaxohashError, match="cannot be pickled or copied: save it"):
        pickle.dumps(index)
