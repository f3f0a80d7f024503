"""What is left out is never trained on, and the rest keeps its labels."""

import numpy as np
import torch

from benchmarks.methods.head import Problem
from benchmarks.methods.unseen_classes import left_out, without
from tests.support.toy import TREE


def test_one_class_of_every_superclass_is_left_out() -> None:
    assert left_out(TREE).tolist() == [2, 5, 8]


def test_the_rest_keeps_its_rows_and_its_paths() -> None:
    labels = torch.arange(9).repeat(3)
    known = Problem(
        TREE, torch.arange(27.0)[:, None], labels, torch.zeros(1, 1), np.zeros(1, np.int32), "md5"
    )
    shown = without(known, left_out(TREE))
    assert len(shown.taxonomy) == 6
    assert shown.inputs.flatten().tolist() == [row for row in range(27) if row % 9 not in (2, 5, 8)]
    for value, label in zip(shown.inputs.flatten().long().tolist(), shown.labels.tolist(), strict=True):
        assert shown.taxonomy.paths[label] == TREE.paths[value % 9]
