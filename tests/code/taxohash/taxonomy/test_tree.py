import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy
from tests.support.configurations import outcome

RAGGED = Taxonomy(
    "animals", (("bird", "owl", "barn owl"), ("bird", "owl", "eagle owl"), ("bird", "emu"), ("fish",))
)

names = st.sampled_from("abc")
paths = st.lists(
    st.lists(names, min_size=1, max_size=4).map(tuple), min_size=1, max_size=12, unique=True
).filter(lambda found: not {p[:d] for p in found for d in range(1, len(p))} & set(found))


def test_ragged_paths_are_completed_downwards() -> None:
    assert RAGGED.depth == 3
    assert [RAGGED.class_count(level) for level in range(3)] == [2, 3, 4]
    assert RAGGED.ancestors.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]
    assert RAGGED.class_paths(2)[2] == ("bird", "emu", "emu")
    assert RAGGED.parents(2).tolist() == [0, 0, 1, 2]
    assert RAGGED.parents(1).tolist() == [0, 0, 1]


@given(paths)
def test_classes_are_the_different_paths_to_a_level(found: list[tuple[str, ...]]) -> None:
    taxonomy = Taxonomy("any", tuple(found))
    depth = max(len(path) for path in found)
    assert taxonomy.depth == depth
    assert taxonomy.ancestors.shape == (len(found), depth)
    for level in range(depth):
        full = [(path + (path[-1],) * depth)[: level + 1] for path in found]
        classes = list(dict.fromkeys(full))
        members = [[label for label, path in enumerate(full) if path == own] for own in classes]
        assert taxonomy.ancestors[:, level].tolist() == [classes.index(path) for path in full]
        assert taxonomy.class_count(level) == len(classes)
        assert taxonomy.class_paths(level) == classes
        assert [own.tolist() for own in taxonomy.members(level)] == members
        if level:
            assert taxonomy.parents(level).tolist() == [
                taxonomy.class_paths(level - 1).index(path[:level]) for path in classes
            ]


@given(paths)
def test_a_subtree_is_what_its_path_begins(found: list[tuple[str, ...]]) -> None:
    taxonomy = Taxonomy("any", tuple(found))
    for node in {path[:names] for path in found for names in range(1, len(path) + 1)}:
        below = [label for label, path in enumerate(found) if path[: len(node)] == node]
        assert taxonomy.subtree("/".join(node)).tolist() == below


@given(paths)
def test_similarity_counts_shared_ancestors(found: list[tuple[str, ...]]) -> None:
    taxonomy = Taxonomy("any", tuple(found))
    full = [path + (path[-1],) * (taxonomy.depth - len(path)) for path in found]
    for i, a in enumerate(full):
        for j, b in enumerate(full):
            shared = sum(a[: level + 1] == b[: level + 1] for level in range(taxonomy.depth))
            assert taxonomy.agreement[i, j] == shared
            assert taxonomy.agreed(np.array(i), np.array([j])) == [shared]
            assert taxonomy.similarity[i, j] == shared / taxonomy.depth
    assert np.array_equal(taxonomy.similarity, taxonomy.similarity.T)
    assert taxonomy.agreement.dtype == taxonomy.ancestors.dtype == np.int32


@given(paths)
def test_file_round_trip_keeps_everything(found: list[tuple[str, ...]]) -> None:
    taxonomy = Taxonomy("any", tuple(found), source="s", licence="l")
    again = Taxonomy.from_json(taxonomy.to_json())
    assert again == taxonomy
    assert again.sha256 == taxonomy.sha256


def test_another_tree_of_the_same_labels() -> None:
    habitat = Taxonomy(
        "habitat", (("land", "emu"), ("air", "eagle owl"), ("air", "barn owl"), ("water", "fish"))
    )
    assert habitat.relabelled(RAGGED).paths == (
        ("air", "barn owl"), ("air", "eagle owl"), ("land", "emu"), ("water", "fish"),
    )  # fmt: skip
    smaller = Taxonomy("smaller", RAGGED.paths[:3])
    with pytest.raises(TaxohashError, match="'smaller' has 0 labels named 'fish' of 'animals'"):
        smaller.relabelled(RAGGED)
    twice = Taxonomy("twice", (*RAGGED.paths[:3], ("sea", "fish"), ("dish", "fish")))
    with pytest.raises(TaxohashError, match="'twice' has 2 labels named 'fish'"):
        twice.relabelled(RAGGED)
    namesakes = Taxonomy("namesakes", (("left", "eye"), ("right", "eye")))
    assert namesakes.relabelled(namesakes) == namesakes  # the same path is the same label


def test_identity_is_of_labels_and_levels_alone() -> None:
    renamed = Taxonomy("other", RAGGED.paths, source="elsewhere")
    assert renamed.sha256 == RAGGED.sha256
    assert Taxonomy("animals", RAGGED.paths[::-1]).sha256 != RAGGED.sha256


def test_subtree_and_label() -> None:
    assert RAGGED.subtree("bird/owl").tolist() == [0, 1]
    assert RAGGED.subtree("bird").tolist() == [0, 1, 2]
    assert RAGGED.subtree("fish").tolist() == [3]
    assert RAGGED.label(["bird", "emu"]) == 2
    for node in ("", "/", "owl", "bird/owl/barn", "bird/owl/barn owl/x"):
        with pytest.raises(TaxohashError, match="has no node"):
            RAGGED.subtree(node)
    with pytest.raises(TaxohashError, match="has no label 'bird'"):
        RAGGED.label(["bird"])


def test_of_a_long_node_the_error_tells_the_beginning() -> None:
    with pytest.raises(TaxohashError, match=r"has no node 'owl/owl.*/'\.\.\.: give a path") as told:
        RAGGED.subtree("owl/" * 2000)
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((), "has no paths"),
        ((("a",), ("a",)), "lists 'a' twice"),
        ((("a",), ("a", "b")), "both as a label and as a parent"),
        ((("a", ""),), "non-empty string"),
        (((),), "non-empty string"),
        ((("a/b",),), "without '/'"),
        (("ab",), "give a tuple"),
        ((("a", 1),), "non-empty string"),
        ((("a", "\udcff"),), "not Unicode"),
    ],
)
def test_a_tree_that_is_none_is_refused(found: Any, said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        Taxonomy("bad", found)


@pytest.mark.parametrize("key", ["source", "licence"])
def test_what_could_not_be_written_again_is_refused(key: str) -> None:
    with pytest.raises(TaxohashError, match=r"has the text '\\ud800', which is not Unicode"):
        Taxonomy.from_json(file(**{key: "\ud800"}))


def test_level_names_must_fit() -> None:
    with pytest.raises(TaxohashError, match="names 1 levels but its paths have 2"):
        Taxonomy("bad", (("a", "b"),), ("only",))
    with pytest.raises(TaxohashError, match="has the levels \\('one', 'one'\\): give each a name of its own"):
        Taxonomy("bad", (("a", "b"),), ("one", "one"))
    for name, levels in (("", ()), ("bad", ("a", ""))):
        with pytest.raises(TaxohashError, match="give non-empty strings as names"):
            Taxonomy(name, (("a", "b"),), levels)


def file(**changed: object) -> str:
    return json.dumps({"name": "x", "paths": [["a", "b"]]} | changed)


FILES = {
    "": "is not JSON (line 1: Expecting value)",
    "{": "is not JSON (line 1: ",
    "[]": "is []: give an object with name, levels, paths, source, licence",
    "null": "is null: give an object",
    "{}": "name is missing: give text that is not empty",
    "[" * 100_000: "is not JSON of a taxonomy (maximum recursion depth",
    f"[1{'0' * 5000}]": "is not JSON of a taxonomy (Exceeds the limit",
    '{"name": NaN}': "is not JSON of a taxonomy (NaN is no JSON)",
    '{"name": "x", "paths": [["a"]], "name": "y"}': "(the key 'name' stands twice)",
    file(source="\ud800"): "has the text '\\ud800', which is not Unicode",
    file(licence="a\udcff"): "has the text 'a\\udcff', which is not Unicode",
    file(name=3): "name = 3: give text that is not empty",
    file(name=""): 'name = "": give text that is not empty',
    file(paths=3): "paths = 3: give a list, each item a list, each item text",
    file(paths=None): "paths = null: give a list",
    file(paths={"a": "b"}): 'paths = {"a": "b"}: give a list',
    file(paths=["cat", "dog"]): 'paths.0 = "cat": give a list, each item text',
    file(paths=[["a"], 3]): "paths.1 = 3: give a list, each item text",
    file(paths=[["a"], {"b": 1}]): 'paths.1 = {"b": 1}: give a list, each item text',
    file(paths=[["a", 1]]): "paths.0.1 = 1: give text that is not empty",
    file(paths=[["a", None]]): "paths.0.1 = null: give text",
    file(paths=[["a", True]]): "paths.0.1 = true: give text",
    file(paths=[["a", ["b"]]]): 'paths.0.1 = ["b"]: give text',
    file(paths=[["a", ""]]): 'paths.0.1 = "": give text that is not empty',
    file(paths=[["a", "\ud800"]]): 'paths.0.1 = "\\ud800": give text',
    file(paths=[["a"], []]): "has the path (): give a tuple of non-empty strings",
    file(paths=[["a/b"]]): "has the path ('a/b',): give a tuple of non-empty strings without '/'",
    file(paths=[]): "has no paths",
    file(levels="fine"): 'levels = "fine": give a list, each item text that is not empty or null',
    file(levels={}): "levels = {}: give a list",
    file(levels=["a", None]): "levels.1 = null: give text that is not empty",
    file(levels=["a", 2]): "levels.1 = 2: give text",
    file(levels=["a", False]): "levels.1 = false: give text",
    file(levels=["a", ""]): 'levels.1 = "": give text that is not empty',
    file(levels=["a", "a"]): "has the levels ('a', 'a'): give each a name of its own",
    file(levels=["a"]): "names 1 levels but its paths have 2",
    file(source=None): "source = null: give text",
    file(licence=[]): "licence = []: give text",
    file(level=["a", "b"]): "level is not known: use one of name, levels, paths, source, licence",
}


@pytest.mark.parametrize("text", FILES, ids=lambda text: text[:60])
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "taxonomy.json"
    path.write_text(text)
    with pytest.raises(TaxohashError) as raised:
        Taxonomy.load(path)
    (line,) = str(raised.value).splitlines()
    assert line.startswith("taxonomy ")
    assert FILES[text] in line


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists),
    st.sampled_from(["paths", "levels", "name"]),
)
def test_any_json_is_a_tree_or_one_line(value: object, key: str) -> None:
    made, line = outcome(lambda: Taxonomy.from_json(file(**{key: value})))
    assert (made is None) == bool(line)
    if made is not None:
        assert Taxonomy.from_json(made.to_json()) == made


def test_what_does_no_harm_is_taken() -> None:
    plain = Taxonomy.from_json(file())
    assert Taxonomy.from_json("\ufeff" + file()) == plain  # as some editors write it
    assert Taxonomy.from_json(file(levels=None)) == Taxonomy.from_json(file(levels=[])) == plain
    assert Taxonomy.from_json(file(paths=[["a\n", "\u2028[b]"]])).paths == (("a\n", "\u2028[b]"),)


def test_absent_and_undecodable_files(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="cannot be read"):
        Taxonomy.load(tmp_path / "none.json")
    (tmp_path / "taxonomy.json").write_bytes(b"\xff\xfe")
    with pytest.raises(TaxohashError, match="not UTF-8"):
        Taxonomy.load(tmp_path)


def test_saved_file_has_the_contracts_form(tmp_path: Path) -> None:
    RAGGED.save(tmp_path / "taxonomy.json")
    data = json.loads((tmp_path / "taxonomy.json").read_text())
    assert set(data) == {"name", "levels", "paths", "source", "licence"}
    assert data["levels"] is None
    assert Taxonomy.load(tmp_path) == RAGGED
