"""Label numbers: the same through any growth of a taxonomy, against a model that is a dictionary."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.labels import UNKNOWN, LabelNumbers, Path
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy


def tree(*paths: str, levels: tuple[str, ...] = (), name: str = "products") -> Taxonomy:
    return Taxonomy(name, tuple(tuple(path.split("/")) for path in paths), levels)


def path(text: str) -> Path:
    return tuple(text.split("/"))


def renames(**pairs: str) -> dict[Path, Path]:
    return {path(old): path(new) for old, new in pairs.items()}


FIRST = tree("tops/shirt", "tops/coat", "shoes/boot", "shoes/pump")


@pytest.fixture
def first() -> LabelNumbers:
    return LabelNumbers.first(FIRST)


def numbered(numbers: LabelNumbers) -> dict[str, int]:
    """The numbers of the newest version by path."""
    paths = ["/".join(path) for path in numbers.taxonomy.paths]
    return dict(zip(paths, numbers.numbers().tolist(), strict=True))


def test_in_version_one_the_number_is_the_index(first: LabelNumbers) -> None:
    assert first.numbers().tolist() == first.labels().tolist() == [0, 1, 2, 3]
    assert (first.version, first.total, first.retired.tolist()) == (1, 4, [])
    assert first.number_of(("shoes", "boot")) == 2
    assert first.path_of(2) == ("shoes", "boot")


def test_what_stays_keeps_its_number_and_what_is_new_takes_the_next(first: LabelNumbers) -> None:
    grown = first.grown(tree("hats/cap", "shoes/pump", "shoes/boot", "tops/coat", "tops/shirt", "tops/tie"))
    assert numbered(grown) == {
        "tops/shirt": 0, "tops/coat": 1, "shoes/boot": 2, "shoes/pump": 3, "hats/cap": 4, "tops/tie": 5
    }  # fmt: skip
    assert grown.numbers(1).tolist() == [0, 1, 2, 3]
    assert grown.labels(FIRST.sha256).tolist() == [0, 1, 2, 3, UNKNOWN, UNKNOWN]
    assert grown.labels().tolist() == [4, 3, 2, 1, 0, 5]
    assert grown.numbers().dtype == grown.labels().dtype == np.int32


def test_the_same_taxonomy_is_no_new_version(first: LabelNumbers) -> None:
    assert first.grown(FIRST) is first
    assert first.grown(replace(FIRST, source="elsewhere", licence="other")) is first
    assert first.grown(tree("shoes/pump", "shoes/boot", "tops/coat", "tops/shirt")).version == 2


def test_renamed_and_moved_labels_and_nodes_keep_their_numbers(first: LabelNumbers) -> None:
    grown = first.grown(
        tree("clothes/tops/blouse", "clothes/tops/coat", "shoes/boot", "hats/pump"),
        {
            path("tops"): path("clothes/tops"),
            path("tops/shirt"): path("clothes/tops/blouse"),
            path("shoes/pump"): path("hats/pump"),
        },
    )
    assert numbered(grown) == {
        "clothes/tops/blouse": 0, "clothes/tops/coat": 1, "shoes/boot": 2, "hats/pump": 3
    }  # fmt: skip
    assert grown.path_of(0) == ("clothes", "tops", "blouse")
    assert grown.labels(FIRST.sha256).tolist() == [0, 1, 2, 3]


def test_a_label_below_a_moved_node_may_go(first: LabelNumbers) -> None:
    grown = first.grown(tree("clothes/coat", "shoes/boot", "shoes/pump"), {path("tops"): path("clothes")})
    assert numbered(grown) == {"clothes/coat": 1, "shoes/boot": 2, "shoes/pump": 3}


def test_a_removed_label_is_retired_and_its_number_is_not_given_to_another(first: LabelNumbers) -> None:
    less = first.grown(tree("tops/shirt", "tops/coat", "shoes/boot"))
    assert less.retired.tolist() == [3]
    assert less.path_of(3) == ("shoes", "pump")
    with pytest.raises(TaxohashError, match="no label 'shoes/pump'"):
        less.number_of(("shoes", "pump"))
    again = less.grown(FIRST)
    assert again.numbers().tolist() == [0, 1, 2, 4]
    assert (again.path_of(3), again.path_of(4)) == (("shoes", "pump"), ("shoes", "pump"))
    # Both are this label to a generation whose taxonomy was taken twice.
    assert again.labels(FIRST.sha256).tolist() == [0, 1, 2, 3, 3]


def test_a_retired_label_takes_its_number_back_when_that_is_said(first: LabelNumbers) -> None:
    less = first.grown(tree("tops/shirt", "tops/coat", "shoes/boot"))
    again = less.grown(FIRST, {path("shoes/pump"): path("shoes/pump")})
    assert again.numbers().tolist() == [0, 1, 2, 3]
    other = less.grown(
        tree("tops/shirt", "tops/coat", "shoes/boot", "hats/x"), {path("shoes/pump"): path("hats/x")}
    )
    assert numbered(other)["hats/x"] == 3
    newer = less.grown(FIRST)  # the path has another number now
    assert (
        newer.grown(
            tree("tops/shirt", "tops/coat", "shoes/boot", "x"), {path("shoes/pump"): ("x",)}
        ).number_of(("x",))
        == 4
    )


def test_names_may_move_on_in_a_row(first: LabelNumbers) -> None:
    grown = first.grown(
        tree("tops/coat", "tops/cape", "shoes/boot", "shoes/pump"),
        {path("tops/shirt"): path("tops/coat"), path("tops/coat"): path("tops/cape")},
    )
    assert numbered(grown) == {"tops/coat": 0, "tops/cape": 1, "shoes/boot": 2, "shoes/pump": 3}


def test_a_label_that_becomes_a_node_is_retired_unless_it_is_said_where_it_goes(first: LabelNumbers) -> None:
    deeper = tree("tops/shirt/polo", "tops/shirt/other", "tops/coat", "shoes/boot", "shoes/pump")
    assert first.grown(deeper).retired.tolist() == [0]
    grown = first.grown(deeper, {path("tops/shirt"): path("tops/shirt/other")})
    assert (grown.number_of(path("tops/shirt/other")), grown.retired.tolist()) == (0, [])


@pytest.mark.parametrize(
    ("paths", "renamed", "message"),
    [
        ("tops/shirt tops/coat shoes/boot x", {"tops/hat": "x"}, "'tops/hat' is renamed and no label or node"),
        ("tops/shirt tops/coat shoes/boot x", {"shoes/pump": "y"}, "'shoes/pump' is renamed to 'y', which the new"),
        ("tops/shirt tops/coat x", {"shoes": "y"}, "'shoes' is renamed to 'y', which the new taxonomy does not have"),
        ("tops/x shoes/boot shoes/pump", {"tops/shirt": "tops/x", "tops/coat": "tops/x"}, "would both be 'tops/x'"),
        ("tops/coat shoes/boot shoes/pump", {"tops/shirt": "tops/coat"}, "'tops/shirt' and 'tops/coat' would both be"),
        ("tops/shirt tops/coat shoes/boot shoes/pump x", {"tops/shirt": "x"}, "'tops/shirt' is renamed and still in"),
        ("tops/shirt tops/coat shoes/boot shoes/pump", {"tops/shirt": "tops/coat", "tops/coat": "tops/shirt"},
         "renamed in a circle of 2"),
        ("tops/shirt x y z", {}, "keeps 1 of the 4 labels, fewer than half"),
        ("a b c d", {"tops/shirt": "a"}, "keeps 1 of the 4 labels, fewer than half"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    first: LabelNumbers, paths: str, renamed: dict[str, str], message: str
) -> None:
    with pytest.raises(TaxohashError, match=message) as caught:
        first.grown(tree(*paths.split()), renames(**renamed))
    assert "\n" not in str(caught.value)


def test_half_of_the_labels_are_enough_and_renamed_ones_count(first: LabelNumbers) -> None:
    assert first.grown(tree("tops/shirt", "tops/coat", "x")).version == 2
    assert first.grown(tree("a", "b", "x"), renames(**{"tops/shirt": "a", "tops/coat": "b"})).version == 2


def test_levels_keep_their_names() -> None:
    named = LabelNumbers.first(tree("tops/shirt", levels=("kind", "product")))
    for levels in ((), ("kind", "thing")):
        with pytest.raises(TaxohashError, match=r"has the levels .*, the collection has 'kind', 'product'"):
            named.grown(tree("tops/shirt", "tops/coat", levels=levels))
    unnamed = LabelNumbers.first(FIRST)
    assert unnamed.grown(tree(*("/".join(path) for path in FIRST.paths), "a/b/c/d")).version == 2


def test_unknown_versions_numbers_and_taxonomies_are_refused(first: LabelNumbers) -> None:
    for version in (0, 2):
        with pytest.raises(TaxohashError, match="no taxonomy version"):
            first.numbers(version)
    for number in (-1, 4):
        with pytest.raises(TaxohashError, match="was never given: the collection has 0 to 3"):
            first.path_of(number)
    with pytest.raises(TaxohashError, match="is no version of 'products': grow"):
        first.labels("0" * 64)


# -- any growth ------------------------------------------------------------------------------------

WORDS = st.sampled_from("abcdef")
# Two levels or three, and no leaf above another, since the first names differ.
PATHS: st.SearchStrategy[Path] = st.one_of(
    st.tuples(WORDS.map("x".__add__), WORDS), st.tuples(WORDS.map("y".__add__), WORDS, WORDS)
)


@st.composite
def growths(draw: st.DrawFn) -> tuple[LabelNumbers, list[dict[Path, int]]]:
    """Numbers after some growths, and what a dictionary says of each version."""
    paths = draw(st.lists(PATHS, min_size=1, max_size=8, unique=True))
    model = {path: number for number, path in enumerate(paths)}
    numbers, models, total = LabelNumbers.first(Taxonomy("t", tuple(paths))), [dict(model)], len(paths)
    for _ in range(draw(st.integers(0, 5))):
        old = list(model)
        kept = draw(st.lists(st.sampled_from(old), min_size=(len(old) + 1) // 2, unique=True))
        fresh = [
            path for path in draw(st.lists(PATHS, min_size=1, max_size=8, unique=True)) if path not in model
        ]
        moving = draw(st.lists(st.sampled_from(kept), max_size=len(fresh), unique=True))
        renamed = dict(zip(moving, fresh, strict=False))
        new = [renamed.get(path, path) for path in kept] + fresh[len(moving) :]
        new = draw(st.permutations(new))
        before = {renamed.get(path, path): model[path] for path in kept}
        if new == old:
            continue
        model = {}
        for path in new:
            model[path] = before.get(path, total)
            total += path not in before
        numbers = numbers.grown(Taxonomy("t", tuple(new)), renamed)
        models.append(dict(model))
    return numbers, models


@given(growths())
def test_numbers_are_stable_over_any_growths(grown: tuple[LabelNumbers, list[dict[Path, int]]]) -> None:
    numbers, models = grown
    assert numbers.version == len(models)
    for version, model in enumerate(models, 1):
        assert numbers.numbers(version).tolist() == list(model.values())
    assert numbers.total == len({number for model in models for number in model.values()})
    assert numbers.retired.tolist() == sorted(set(range(numbers.total)) - set(models[-1].values()))
    for number in range(numbers.total):
        newest = next(model for model in reversed(models) if number in model.values())
        assert newest[numbers.path_of(number)] == number
    for label_path, number in models[-1].items():
        assert numbers.number_of(label_path) == number
    # The inverse: every number that a version gave is a label of its taxonomy, and back.
    for taxonomy in numbers.taxonomies:
        labels = numbers.labels(taxonomy.sha256)
        version = numbers.version_of(taxonomy.sha256)
        assert labels[numbers.numbers(version)].tolist() == list(range(len(taxonomy)))


@given(growths())
def test_text_gives_the_same_numbers(grown: tuple[LabelNumbers, list[dict[Path, int]]]) -> None:
    numbers = grown[0]
    again = LabelNumbers.from_json(numbers.to_json())
    assert again.taxonomies == numbers.taxonomies
    assert [column.tolist() for column in again.columns] == [column.tolist() for column in numbers.columns]
    assert again.to_json() == numbers.to_json()


# -- damaged text ----------------------------------------------------------------------------------


def test_text_is_compact() -> None:
    names = [f"a/{number}" for number in range(1000)]
    numbers = LabelNumbers.first(tree(*names))
    for version in range(20):
        numbers = numbers.grown(tree(*names, *(f"b/{more}" for more in range(version + 1))))
    assert len(numbers.to_json()) < 20_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(format=2), "format = 2"),
        (lambda data: data.update(versions=[]), "versions"),
        (lambda data: data.update(more=1), "more is not known"),
        (lambda data: data["paths"].pop(), "is no run"),
        (lambda data: data["paths"].reverse(), "is not the taxonomy"),
        (lambda data: data["paths"][0].append("x"), "is not the taxonomy"),
        (lambda data: data["versions"][0].update(sha256="0" * 64), "version 1 is not the taxonomy"),
        (lambda data: data["versions"].pop(0), "version 1 has numbers that do not follow"),
        (lambda data: data["versions"][1].update(numbers=[[0, 5]]), "do not follow"),
        (lambda data: data["versions"][1].update(numbers=[[0, 3], [3, 1], [5, 1]]), "version 2 has numbers"),
        (lambda data: data["versions"][1].update(numbers=[[0, 2], [0, 2]]), "do not follow|is no run"),
        (lambda data: data["versions"][1].update(numbers=[[0, 2147483646]]), "is no run"),
        (lambda data: data["versions"][1].update(numbers=[[0]]), "is no run"),
        (lambda data: data["versions"][1].update(numbers=[[-1, 5]]), "give"),
        (lambda data: data["versions"][1].update(paths=[[0, 4], [0, 1]]), "twice"),
    ],
)  # fmt: skip
def test_damaged_text_is_refused(first: LabelNumbers, change: object, message: str) -> None:
    grown = first.grown(tree("tops/shirt", "tops/coat", "shoes/boot", "x"))
    data = json.loads(grown.to_json())
    change(data)  # type: ignore[operator]
    with pytest.raises(TaxohashError, match=message) as caught:
        LabelNumbers.from_json(json.dumps(data), "of c")
    assert str(caught.value).startswith("label numbers of c are damaged: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "[" * 100_000])
def test_what_is_no_text_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(TaxohashError, match="damaged"):
        LabelNumbers.from_json(text)
