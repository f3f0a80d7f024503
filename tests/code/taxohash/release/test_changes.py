"""What changed between two versions of a catalogue."""

from hypothesis import given
from hypothesis import strategies as st

from taxohash.release.changes import Changes, changes, labelled

Labelled = dict[str, frozenset[tuple[str, ...]]]
CATALOGUES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from([("x",), ("y", "z")]), max_size=2)
)


@given(CATALOGUES, CATALOGUES)
def test_changes_are_those_of_a_walk_over_all_items(before: Labelled, after: Labelled) -> None:
    found = {"added": 0, "removed": 0, "relabelled": 0, "kept": 0}
    for item in {*before, *after}:
        if item not in before:
            found["added"] += 1
        elif item not in after:
            found["removed"] += 1
        else:
            found["kept"] += 1
            found["relabelled"] += before[item] != after[item]
    assert changes(before, after) == Changes(**found)


def test_labels_are_told_by_their_paths_whatever_their_numbers() -> None:
    old = labelled(["a", "b"], [[0], [1, 0]], [("x",), ("y", "z")])
    new = labelled(["b", "a"], [[1, 0], [1]], [("y", "z"), ("x",)])
    assert old == new
    assert changes(old, new) == Changes(added=0, removed=0, relabelled=0, kept=2)
