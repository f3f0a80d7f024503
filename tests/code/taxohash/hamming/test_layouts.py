"""Every arrangement of codes answers as a naive scan does, for all code lengths."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxohash.codes import Codes
from taxohash.hamming.arrange import arrange, find_bodies, keep_flat, make_layout, merge, take
from taxohash.hamming.centres import NO_MASK, NO_ROWS, Centres
from taxohash.hamming.kernels import flat
from taxohash.hamming.kernels.blocks import pick
from taxohash.hamming.kernels.conventions import EMPTY, LOW, SHIFT
from taxohash.hamming.kernels.grouping import NONE
from taxohash.hamming.layouts import (
    Flat,
    Layout,
    Rings,
    Sliced,
)
from taxohash.hamming.notes import positions
from taxohash.hamming.weights import to_weights
from taxohash.hamming.words import from_words, to_words, width_of
from tests.support.hamming_oracle import (
    KINDS,
    LENGTHS,
    WEIGHTS,
    Answer,
    distances,
    make_codes,
    make_weights,
    nearest,
    weighted_distances,
    weighted_nearest,
)

# Kernels are compiled for each number of words: those of sixteen take a minute, and 1,024 bits meet them too.
MOST_LENGTHS = [pytest.param(bits, marks=pytest.mark.slow) if bits == 1000 else bits for bits in LENGTHS]
MANY = 11_000  # codes enough for two bands of blocks


def in_rings(bits: int, codes: Codes, rng: np.random.Generator) -> Rings:
    """Rings around arbitrary centres, and some that are codes: how good they are must not matter."""
    some = codes[rng.integers(0, len(codes), 4)]
    centres = to_words(np.concatenate([make_codes(rng, 5, bits, "uniform"), some]), bits).ravel()
    grouped = Centres(centres, centres[: len(width_of(bits))], np.array([9], dtype=np.int64))
    words = to_words(codes, bits).ravel()
    return arrange(bits, words, NO_ROWS, grouped, *grouped.assign(words, width_of(bits)))


def arrangements(bits: int, codes: Codes, rng: np.random.Generator) -> list[Layout]:
    words = to_words(codes, bits).ravel()
    return [
        Flat(bits, words, NO_ROWS, len(codes)),
        keep_flat(bits, words, NO_ROWS),
        in_rings(bits, codes, rng),
    ]


def search(layout: Layout, queries: Codes, k: int, mask: npt.NDArray[np.uint8] = NO_MASK) -> Answer:
    best = np.full((len(queries), k), EMPTY)
    layout.search(to_words(queries, layout.bits), mask, best)
    held = int(np.count_nonzero(best[0] != EMPTY))
    near, rows = np.empty((len(queries), held), np.int32), np.empty((len(queries), held), np.int64)
    flat.finish(best, near, rows)
    return near, rows


def bitmap(rows: npt.NDArray[np.int64], end: int) -> npt.NDArray[np.uint8]:
    mask = np.zeros(end + 1, dtype=np.bool_)
    mask[rows] = True
    return np.packbits(mask, bitorder="little")


@pytest.mark.parametrize("bits", MOST_LENGTHS)
@settings(max_examples=6)
@given(
    st.integers(0, 2**32),
    st.sampled_from(KINDS),
    st.sampled_from((1, 300, MANY)),
    st.sampled_from((1, 10, 100)),
)
def test_every_arrangement_finds_what_a_naive_scan_finds(
    bits: int, seed: int, kind: str, count: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = make_codes(rng, count, bits, kind)
    queries = np.concatenate(
        [make_codes(rng, 5, bits, kind), make_codes(rng, 5, bits, "uniform"), ~codes[:1]]
    )
    if bits % 8:
        queries[:, -1] &= (0xFF << (8 - bits % 8)) & 0xFF
    allowed = np.flatnonzero(rng.random(count) < 0.3)
    radius = bits // 8
    for layout in arrangements(bits, codes, rng):
        for asked in (queries, queries[:1]):
            for answer, wanted in zip(search(layout, asked, k), nearest(codes, asked, k), strict=True):
                np.testing.assert_array_equal(answer, wanted)
        filtered = search(layout, queries, k, bitmap(allowed, count))
        for answer, wanted in zip(filtered, nearest(codes, queries, k, allowed), strict=True):
            np.testing.assert_array_equal(answer, wanted)
        keys, size = layout.collect(
            to_words(queries, bits)[0], radius, bitmap(allowed, count), np.empty(1, np.uint64), 0
        )
        inside = allowed[distances(codes[allowed], queries[0]) <= radius]
        np.testing.assert_array_equal(np.sort(keys[:size] & LOW), inside)
        counts = np.zeros(bits + 1, dtype=np.int64)
        layout.histogram(to_words(queries, bits)[0], bitmap(allowed, count), counts)
        np.testing.assert_array_equal(
            counts, np.bincount(distances(codes[allowed], queries[0]), minlength=bits + 1)
        )


@pytest.mark.parametrize("bits", MOST_LENGTHS)
@settings(max_examples=8)
@given(
    st.integers(0, 2**32),
    st.sampled_from(KINDS),
    st.sampled_from((1, 300, MANY)),
    st.sampled_from((1, 10, 100)),
    st.sampled_from(WEIGHTS),
)
def test_every_arrangement_finds_by_weights_what_a_naive_scan_finds(
    bits: int, seed: int, kind: str, count: int, k: int, weighing: str
) -> None:
    rng = np.random.default_rng(seed)
    codes = make_codes(rng, count, bits, kind)
    queries = np.concatenate([make_codes(rng, 3, bits, kind), make_codes(rng, 2, bits, "uniform")])
    given = make_weights(rng, len(queries), bits, weighing)
    weights, words = to_weights(given, bits, len(queries)), to_words(queries, bits)
    allowed = np.flatnonzero(rng.random(count) < 0.3)
    wanted = weighted_nearest(codes, queries, given, k)[1]
    wanted_allowed = weighted_nearest(codes, queries, given, k, allowed)[1]
    limit = int(np.median(weighted_distances(codes, queries[0], given[0])[0]))
    within = np.flatnonzero(weighted_distances(codes, queries[0], given[0])[0] <= limit)
    for layout in arrangements(bits, codes, rng):
        for mask, rows in ((NO_MASK, wanted), (bitmap(allowed, count), wanted_allowed)):
            best = np.full((len(queries), k), EMPTY)
            noting = weights.noting(k)
            layout.search(words, mask, best, noting)
            best.sort(axis=1)
            np.testing.assert_array_equal(best[:, : rows.shape[1]] & LOW, rows)
            assert (best[:, rows.shape[1] :] == EMPTY).all()
            for found, own in zip(rows, noting.noted, strict=True):
                places = np.sort(
                    positions(own, found)
                )  # where each lies is noted, unless too many came before
                assert places.min(initial=0) >= 0 or own[0, 0] >= own.shape[1]
                picked = layout.pick(places[places >= 0]).reshape(-1, words.shape[1])
                at = layout.rows[places[places >= 0]] if layout.rows.size else places[places >= 0]
                np.testing.assert_array_equal(from_words(picked, bits), codes[at])
                assert set(at.tolist()) <= set(found.tolist())
        best = np.full((1, count + 1), np.uint64(limit + 1) << SHIFT)  # a bound instead of an empty heap
        layout.search(words[:1], NO_MASK, best, weights[:1])
        np.testing.assert_array_equal(np.sort(best[0, best[0] < best[0, 0]] & LOW), within)


@pytest.mark.parametrize("bits", LENGTHS)
def test_slicing_loses_nothing(bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes = make_codes(rng, MANY, bits, "uniform")
    sliced = keep_flat(bits, to_words(codes, bits).ravel(), NO_ROWS)
    assert isinstance(sliced, Sliced)
    width = width_of(bits)
    np.testing.assert_array_equal(from_words(sliced.words().reshape(MANY, len(width)), bits), codes)
    for share in (0.001, 0.5):  # a few codes of a block one by one, many by transposing it
        wanted = np.flatnonzero(rng.random(MANY) < share)
        words = pick(width, bits, sliced.blocks, wanted).reshape(-1, len(width))
        np.testing.assert_array_equal(from_words(words, bits), codes[wanted])


@pytest.mark.parametrize("bits", LENGTHS)
def test_cells_lose_nothing(bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes = make_codes(rng, MANY, bits, "clustered")
    made = in_rings(bits, codes, rng)
    assert (made.bodies[:, 1] - made.bodies[:, 0]).sum() > MANY / 3  # both ways of keeping codes are met
    words = made.words().reshape(MANY, len(width_of(bits)))
    np.testing.assert_array_equal(from_words(words, bits), codes[made.rows])


@given(
    st.lists(st.sampled_from((0, 0, 1, 7, 63, 64, 65, 200, 1000)), min_size=1, max_size=20), st.integers(0, 9)
)
def test_bodies_lie_inside_their_cells(sizes: list[int], before: int) -> None:
    offsets = np.cumsum([before, *sizes]).astype(np.uint32)[None]
    (start, stop), edges = find_bodies(offsets)[0].tolist(), offsets[0].tolist()
    assert edges[0] <= start <= stop <= edges[-1]
    assert (stop - start) % 64 == 0
    assert start == stop or start % 8 == 0
    large = [i for i, size in enumerate(sizes) if size >= 64]
    if large and edges[large[-1] + 1] - edges[large[0]] >= 128:
        assert start < stop
    for i in range(len(sizes)):  # few codes of the large rings are left out
        if i in large:
            assert max(start - edges[i], 0) < 8 or start == stop
            assert max(edges[i + 1] - stop, 0) < 64 or start == stop


@pytest.mark.parametrize("bits", [45, 64, 128])
def test_a_part_keeps_its_arrangement_and_answers_alike(bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes = make_codes(rng, MANY, bits, "clustered")
    queries = make_codes(rng, 3, bits, "clustered")
    kept = np.flatnonzero(rng.random(MANY) < 0.95)
    for layout in arrangements(bits, codes, rng):
        part = take(layout, bitmap(kept, MANY))
        assert isinstance(part, Rings) == isinstance(layout, Rings)
        for answer, wanted in zip(search(part, queries, 10), nearest(codes, queries, 10, kept), strict=True):
            np.testing.assert_array_equal(answer, wanted)


@pytest.mark.parametrize("bits", [45, 64, 128])
def test_merging_brings_rows_in_wherever_they_belong(bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes = make_codes(rng, MANY, bits, "clustered")
    queries = make_codes(rng, 3, bits, "clustered")
    moved = rng.choice(MANY, 200, replace=False)
    stayed = np.setdiff1d(np.arange(MANY), moved)
    changed = codes.copy()
    changed[moved] = make_codes(rng, 200, bits, "clustered")
    for layout in arrangements(bits, codes, rng):
        words = to_words(changed[moved], bits).ravel()
        merged = merge(layout, bitmap(stayed, MANY), words, moved.astype(np.uint32))
        assert len(merged) == MANY
        for answer, wanted in zip(search(merged, queries, 20), nearest(changed, queries, 20), strict=True):
            np.testing.assert_array_equal(answer, wanted)


def test_codes_that_cluster_get_rings_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    for kind, expected in (("clustered", Rings), ("duplicates", Rings), ("uniform", Sliced)):
        codes = make_codes(rng, 30_000, 64, kind)
        words = to_words(codes, 64).ravel()
        assert isinstance(make_layout(64, words, NO_ROWS, None), expected)
        centres = to_words(make_codes(rng, 7, 64, kind), 64)
        assert isinstance(make_layout(64, words, NO_ROWS, centres), expected)


def test_rings_look_at_few_codes_of_a_cluster() -> None:
    rng = np.random.default_rng(0)
    codes = make_codes(rng, 30_000, 64, "clustered")
    layout = make_layout(64, to_words(codes, 64).ravel(), NO_ROWS, None)
    queries = to_words(make_codes(rng, 50, 64, "clustered"), 64)
    best = np.full((50, 10), EMPTY)
    assert layout.search(queries, NO_MASK, best) < 50 * 30_000 / 4


@given(
    st.sampled_from(LENGTHS),
    st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any),
    st.sampled_from(KINDS),
    st.integers(0, 2**32 - 1),
)
def test_a_code_lies_around_its_nearest_centre(bits: int, sizes: list[int], kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, centres = make_codes(rng, 100, bits, kind), make_codes(rng, sum(sizes), bits, kind)
    heads = make_codes(rng, len(sizes), bits, kind)
    words = [to_words(part, bits).ravel() for part in (codes, centres, heads)]
    cells, radii = Centres(words[1], words[2], np.cumsum(sizes)).assign(words[0], width_of(bits))
    away = np.stack([distances(codes, centre) for centre in centres], axis=1)
    np.testing.assert_array_equal(radii, away.min(axis=1))
    np.testing.assert_array_equal(
        cells, away.argmin(axis=1)
    )  # of like ones the first, as queries look for it


@pytest.mark.parametrize("bits", [45, 64, 128])
def test_margins_are_those_of_the_codes_of_each_cell(bits: int) -> None:
    rng = np.random.default_rng(bits)
    codes = make_codes(rng, 500, bits, "clustered")
    made = in_rings(bits, codes, rng)
    centres = from_words(made.centres.words.reshape(-1, len(width_of(bits))), bits)
    between = np.stack([distances(centres, centre) for centre in centres], axis=1)
    away = np.stack([distances(codes, centre) for centre in centres], axis=1)
    cells = np.empty(500, np.int64)
    cells[made.rows] = made.ring_of()[0]
    for e, (neighbours, margins) in enumerate(zip(made.neighbours, made.margins, strict=True)):
        assert sorted(neighbours.tolist()) == [c for c in range(len(centres)) if c != e]
        assert (np.diff(between[e, neighbours]) >= 0).all()  # nearest first
        for c, margin in zip(neighbours.tolist(), margins.tolist(), strict=True):
            leaning = away[cells == c, c] - away[cells == c, e]
            assert margin == leaning.max(initial=NONE)


def test_a_margin_leaves_out_what_rings_would_not() -> None:
    """A query at one of two centres, and codes about the other that are as far from it as the query is, on its far side."""
    rng = np.random.default_rng(0)
    ends = np.array([[0] * 64, [1] * 20 + [0] * 44], np.uint8)
    bits = np.repeat(ends, 3000, axis=0)
    bits[np.arange(3000), rng.integers(0, 64, 3000)] ^= 1
    bits[3000:, 20:40] = 1
    codes, centres = np.packbits(bits, axis=1), to_words(np.packbits(ends, axis=1), 64).ravel()
    grouped = Centres(centres, centres[:1], np.array([2]))
    words = to_words(codes, 64).ravel()
    layout = arrange(64, words, NO_ROWS, grouped, *grouped.assign(words, width_of(64)))
    best = np.full((1, 10), EMPTY)
    assert layout.search(centres[:1, None], NO_MASK, best) <= 3000


def test_groups_without_centres_are_passed_over() -> None:
    """However near their heads are: a code has to have a centre, and its true distance."""
    codes = to_words(np.array([[0], [1], [3]], np.uint8), 8).ravel()
    far = to_words(np.array([[255]], np.uint8), 8).ravel()
    heads = np.concatenate([np.zeros(4, np.uint64), far])
    cells, radii = Centres(far, heads, np.array([0, 0, 0, 0, 1])).assign(codes, width_of(8))
    assert cells.tolist() == [0, 0, 0]
    assert radii.tolist() == [8, 7, 6]
