from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from taxohash.taxonomy.agreement import agreed_levels, majority_path

PATH = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple)
ANSWERS = st.lists(st.lists(PATH, max_size=3), max_size=12)


def test_the_majority_goes_down_the_tree() -> None:
    paths = [("a", "x", "1"), ("a", "y", "2"), ("b", "z", "3"), ("a", "y", "4")]
    majority = majority_path([[path] for path in paths])
    assert majority == [("a", 3), ("y", 2), ("2", 1)]
    assert [agreed_levels([path], majority) for path in paths] == [1, 3, 0, 2]


def test_of_equal_names_the_nearer_answers_wins() -> None:
    assert majority_path([[("b",)], [("a",)], [("a",)], [("b",)]]) == [("b", 2)]


def test_an_answer_counts_once_whatever_the_number_of_its_labels() -> None:
    assert majority_path([[("b", "x")], [("a", "x"), ("a", "y")], [("b", "y")]]) == [("b", 2), ("x", 1)]
    assert majority_path([[("a", "x"), ("b", "x")], [], [("b", "y"), ("a", "y")], [("b", "y")]]) == [
        ("b", 3),
        ("y", 2),
    ]


def test_no_answers_agree_on_nothing() -> None:
    assert majority_path([]) == []


@given(ANSWERS)
def test_each_step_is_the_largest_child_of_the_step_before(answers: list[list[tuple[str, ...]]]) -> None:
    majority = majority_path(answers)
    for level, (name, items) in enumerate(majority):
        prefix = tuple(step for step, _ in majority[:level])
        children = Counter(
            child
            for paths in answers
            for child in {path[level] for path in paths if path[:level] == prefix and len(path) > level}
        )
        assert items == children[name] == max(children.values())
    names = tuple(name for name, _ in majority)
    below = [path for paths in answers for path in paths if path[: len(names)] == names]
    assert not any(len(path) > len(names) for path in below)


@given(ANSWERS)
def test_as_many_answers_agree_as_the_majority_says(answers: list[list[tuple[str, ...]]]) -> None:
    majority = majority_path(answers)
    agreed = [agreed_levels(paths, majority) for paths in answers]
    assert [sum(levels > level for levels in agreed) for level in range(len(majority))] == [
        n for _, n in majority
    ]
