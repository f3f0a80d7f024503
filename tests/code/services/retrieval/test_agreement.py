from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.agreement import agreed_levels, majority_path

PATHS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), max_size=12)


def test_the_majority_goes_down_the_tree() -> None:
    paths = [("a", "x", "1"), ("a", "y", "2"), ("b", "z", "3"), ("a", "y", "4")]
    assert majority_path(paths) == [("a", 3), ("y", 2), ("2", 1)]
    assert [agreed_levels(path, majority_path(paths)) for path in paths] == [1, 3, 0, 2]


def test_of_equal_names_the_nearer_answers_wins() -> None:
    assert majority_path([("b",), ("a",), ("a",), ("b",)]) == [("b", 2)]


def test_no_answers_agree_on_nothing() -> None:
    assert majority_path([]) == []


@given(PATHS)
def test_each_step_is_the_largest_child_of_the_step_before(paths: list[tuple[str, ...]]) -> None:
    majority = majority_path(paths)
    for level, (name, items) in enumerate(majority):
        prefix = tuple(step for step, _ in majority[:level])
        children = Counter(path[level] for path in paths if path[:level] == prefix and len(path) > level)
        assert items == children[name] == max(children.values())
    names = tuple(name for name, _ in majority)
    assert not any(path[: len(names)] == names and len(path) > len(names) for path in paths)


@given(PATHS)
def test_as_many_answers_agree_as_the_majority_says(paths: list[tuple[str, ...]]) -> None:
    majority = majority_path(paths)
    agreed = [agreed_levels(path, majority) for path in paths]
    assert [sum(levels > level for levels in agreed) for level in range(len(majority))] == [
        n for _, n in majority
    ]
