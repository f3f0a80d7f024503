"""The champion, and what has changed since its data version."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.steps.champion import changes

Labelled = dict[str, frozenset[tuple[str, ...]]]
CATALOGUES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from([("x",), ("y", "z")]), max_size=2)
)


@given(CATALOGUES, CATALOGUES)
def test_changes_are_those_of_a_walk_over_all_items(before: Labelled, after: Labelled) -> None:
    found = {"added": 0, "removed": 0, "relabelled": 0}
    for item in {*before, *after}:
        if item not in before:
            found["added"] += 1
        elif item not in after:
            found["removed"] += 1
        elif before[item] != after[item]:
            found["relabelled"] += 1
    assert changes(before, after) == found
