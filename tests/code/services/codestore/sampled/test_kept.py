"""What of the sampled queries has to go, against a loop that asks of each."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.codestore.places import Entry
from services.codestore.sampled import Bounds, Kept, surplus
from services.codestore.sampled.kept import kept_of, name_of

DIGESTS = [digit * 64 for digit in "0ab"]
PIXELS = [digit * 16 for digit in "0ab"]
ANY = Bounds(10**9, 10**15, math.inf)
KEPT = st.lists(
    st.builds(
        Kept,
        when=st.integers(0, 20),
        digest=st.sampled_from(DIGESTS),
        pixels=st.sampled_from(PIXELS),
        name=st.uuids().map(str),
        size=st.integers(1, 9),
        written=st.floats(0, 20),
    ),
    max_size=12,
    unique_by=lambda one: one.name,
)
BOUNDS = st.builds(Bounds, st.integers(1, 9), st.integers(1, 40), st.floats(0, 30))
DELETED = st.dictionaries(st.sampled_from(DIGESTS + PIXELS), st.floats(0, 20))


def naive(kept: list[Kept], bounds: Bounds, now: float, deleted: dict[str, float]) -> set[str]:
    """Names: of what is too old or deleted, and of each that has too much that is younger."""
    going = {
        one.name
        for one in kept
        if one.when + bounds.seconds <= now
        or one.written + bounds.seconds <= now
        or any(look in deleted and one.when <= deleted[look] for look in (one.digest, one.pixels))
    }
    left = [one for one in kept if one.name not in going]
    for one in left:
        younger = [
            other
            for other in left
            if (other.when, other.digest, other.pixels, other.name)
            >= (one.when, one.digest, one.pixels, one.name)
        ]
        if len(younger) > bounds.most or sum(other.size for other in younger) > bounds.most_bytes:
            going.add(one.name)
    return going


@given(KEPT, BOUNDS, st.floats(0, 40), DELETED)
def test_what_goes_is_too_old_deleted_or_beyond_a_bound(
    kept: list[Kept], bounds: Bounds, now: float, deleted: dict[str, float]
) -> None:
    going = surplus(kept, bounds, now, deleted)
    assert {one.name for one in going} == naive(kept, bounds, now, deleted)
    assert going == sorted(going)
    left = [one for one in kept if one not in going]
    assert surplus(left, bounds, now, deleted) == []
    assert surplus(kept[::-1], bounds, now, deleted) == going  # whoever looks


def test_without_bounds_nothing_goes() -> None:
    kept = [Kept(1, DIGESTS[0], PIXELS[0], "a", 5, 1.0), Kept(2, DIGESTS[0], PIXELS[0], "b", 5, 1.0)]
    assert surplus(kept, ANY, 100.0) == []


def test_a_name_says_when_and_which_picture_and_is_no_others() -> None:
    names = {name_of(1_764_000_000, DIGESTS[1], PIXELS[2]) for _ in range(20)}
    assert len(names) == 20
    for name in names:
        found = kept_of(Entry(name, True, 5, 3.5))
        assert found == Kept(1_764_000_000, DIGESTS[1], PIXELS[2], name, 5, 3.5)


def test_other_files_and_folders_are_none() -> None:
    name = name_of(1, DIGESTS[0], PIXELS[0])
    for other in ("", "README", f".{name}.x", name.upper(), name + "0", name[1:]):
        assert kept_of(Entry(other, True, 5, 3.5)) is None
    assert kept_of(Entry(name, False, 0, 0.0)) is None
