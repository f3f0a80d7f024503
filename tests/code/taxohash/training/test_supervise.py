"""What a split can tell an objective, and what is said where it cannot."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from taxohash.datasets import Dataset
from taxohash.datasets.layout import LabelColumn
from taxohash.errors import TaxohashError
from taxohash.objectives import objective
from taxohash.objectives.supervision import Labels, LabelSets, Unlabelled
from taxohash.runtime.configuration import replaced
from taxohash.training.run import train
from taxohash.training.supervise import supervision
from tests.support.miniature import HASHER, make_dataset
from tests.support.toy_objectives import GivenPairs, SharedLabels, TwoViews, registered

KNOWN: tuple[LabelColumn | None, ...] = ("label", "labels", None)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[LabelColumn | None, Dataset]:
    """Data sets by how they are labelled."""
    folder = tmp_path_factory.mktemp("sets")
    return {known: make_dataset(folder / str(known), 32, 6, known=known) for known in KNOWN}


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


def test_labels_are_one_an_image(sets: dict[LabelColumn | None, Dataset]) -> None:
    found = supervision(objective("csq"), sets["label"], "train")
    assert isinstance(found, Labels)
    assert found.labels.dtype == torch.int64
    assert found.labels.tolist() == sets["label"].labels("train").tolist()


@pytest.mark.parametrize("known", ["label", "labels"])
def test_one_label_is_a_set_of_one(sets: dict[LabelColumn | None, Dataset], known: LabelColumn) -> None:
    found = supervision(SharedLabels, sets[known], "train")
    assert isinstance(found, LabelSets)
    listed = [np.flatnonzero(row).tolist() for row in found.sets.numpy()]
    assert listed == [own.tolist() for own in sets[known].label_sets("train")]


@pytest.mark.parametrize("known", KNOWN)
def test_labels_can_be_left_unread(
    sets: dict[LabelColumn | None, Dataset], known: LabelColumn | None
) -> None:
    assert supervision(TwoViews, sets[known], "train") == Unlabelled(32)


def test_of_several_kinds_the_first_that_is_there_is_chosen(sets: dict[LabelColumn | None, Dataset]) -> None:
    class Both(SharedLabels):
        supervision = (Labels, LabelSets)

    assert isinstance(supervision(Both, sets["label"], "train"), Labels)
    assert isinstance(supervision(Both, sets["labels"], "train"), LabelSets)
    assert Both.learns_from() == "labels or label sets"


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("csq", "labels", "'csq' learns from labels, split 'train' of .* has label sets: .* use toy-sets"),
        ("shpdh", "labels", "'shpdh' learns from labels per level, split 'train' of .* has label sets"),
        ("csq", None, "has images alone: give another set or use toy-unlabelled, toy-views$"),
        ("toy-sets", None, "'toy-sets' learns from label sets, split 'train' of .* has images alone"),
        (GivenPairs.name, "label", "learns from pairs of images, split 'train' of .* has labels: .* use csq"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    sets: dict[LabelColumn | None, Dataset], tmp_path: Path, name: str, known: LabelColumn | None, said: str
) -> None:
    with pytest.raises(TaxohashError, match=said) as refused:
        train(sets[known].folder, tmp_path / "run", replaced(HASHER, {"objective.name": name}))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_views_that_would_be_alike_are_refused_before_anything_is_made(
    sets: dict[LabelColumn | None, Dataset], tmp_path: Path
) -> None:
    with pytest.raises(TaxohashError, match="compares 2 views of an image, which augment = 'none' leaves"):
        train(sets["label"].folder, tmp_path / "run", replaced(HASHER, {"objective.name": TwoViews.name}))
    assert not (tmp_path / "run").exists()
