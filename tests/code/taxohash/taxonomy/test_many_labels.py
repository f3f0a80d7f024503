"""What a large tree costs, counted and not timed: calls grow as the labels do, and no square of labels is held."""

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from taxohash.cli.data import _table
from taxohash.datasets.check import check
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.evaluation.report.evidence import Evidence, first_answers
from taxohash.protocols import evaluate
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.similarity import by_height, by_wup, levels_by_height

FEW, MANY = 400, 4000
Work = Callable[[Taxonomy], Any]


class Name(str):
    """A name whose hashing and comparing are calls."""

    __slots__ = ()

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)


def ragged(labels: int) -> Taxonomy:
    """A tree of 5 to 12 levels, 8 classes at the top."""
    inner = (
        tuple(Name(f"n{label * 7919 >> 2 * depth & 7}") for depth in range(11)) for label in range(labels)
    )
    return Taxonomy(
        "ragged", tuple((*path[: 4 + label % 8], Name(f"label {label}")) for label, path in enumerate(inner))
    )


def calls(work: Callable[[], Any]) -> int:
    """Calls of functions while it works, Python's and C's."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def peak(work: Callable[[], Any]) -> int:
    """Bytes held at most while it works."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def read(tree: Taxonomy) -> None:
    Taxonomy.from_json(tree.to_json()).ancestors  # noqa: B018
    again = Taxonomy(tree.name, tree.paths)  # with names that count
    for level in range(again.depth):
        again.class_paths(level)
        again.members(level)
    again.label(again.paths[-1])
    again.subtree(again.paths[-1][0])
    assert again.sha256 == tree.sha256


def compare(tree: Taxonomy) -> None:
    by_height(tree).values()
    by_wup(tree).values()
    levels_by_height(tree).ancestors  # noqa: B018


def answer(tree: Taxonomy) -> None:
    labels, codes = np.arange(len(tree)), np.zeros((len(tree), 1), np.uint8)
    first_answers(Evidence(tree, 8, codes[:20], labels[:20], codes, labels), 5, 10)


def graded(protocol: str) -> Work:
    def grade(tree: Taxonomy) -> None:
        labels = np.random.default_rng(0).permutation(len(tree))
        codes = np.packbits(np.random.default_rng(1).random((len(tree), 8)) < 0.5, axis=1)
        items = 16 if protocol == "barz" else len(tree)
        evaluate(protocol, codes[:16], labels[:16], codes[:items], labels[:items], tree, bits=8)

    return grade


WORKS: dict[str, Work] = {
    "read": read, "compare": compare, "answer": answer,
    **{protocol: graded(protocol) for protocol in ("hierarchical", "fine-grained", "flat", "barz")},
}  # fmt: skip


def test_the_tree_is_ragged() -> None:
    tree = ragged(FEW)
    assert {len(path) for path in tree.paths} == set(range(5, 13))
    assert tree.class_count(0) == 8


@pytest.mark.parametrize("name", WORKS)
def test_calls_grow_as_the_labels_do(name: str) -> None:
    WORKS[name](ragged(20))  # imports and compiles
    small, large = ragged(FEW), ragged(2 * FEW)
    assert calls(lambda: WORKS[name](large)) < 2.2 * calls(lambda: WORKS[name](small))


@pytest.mark.parametrize("name", WORKS)
def test_no_square_of_labels_is_held(name: str) -> None:
    WORKS[name](ragged(20))
    tree = ragged(MANY)
    assert peak(lambda: WORKS[name](tree)) < MANY**2  # a byte for each pair


def test_checking_costs_as_much_as_there_are_labels(tmp_path: Path) -> None:
    image = encode_png(np.zeros((2, 2), np.uint8))

    def written(labels: int) -> Path:
        folder = tmp_path / str(labels)
        rows = [Row(image, "", label) for label in range(20)]
        write_dataset(folder, ragged(labels), [("train", rows), ("test", rows)])
        return folder

    small, large, many = written(FEW), written(2 * FEW), written(MANY)
    _table(check(small, progress=False))
    assert calls(lambda: _table(check(large, progress=False))) < 2.2 * calls(
        lambda: _table(check(small, progress=False))
    )
    assert peak(lambda: _table(check(many, progress=False))) < MANY**2
