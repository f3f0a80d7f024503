"""What a data set can tell an objective of its training images."""

from typing import Any

import torch

from taxohash.datasets import Dataset
from taxohash.datasets.layout import LabelColumn
from taxohash.errors import TaxohashError
from taxohash.objectives import AnyObjective, objectives
from taxohash.objectives.base import Projection
from taxohash.objectives.supervision import Kinds, Labels, LabelSets, Supervision, Unlabelled

# What a split can give by the column it has. A label is a set of one, and labels can be left unread.
GIVEN: dict[LabelColumn | None, Kinds] = {
    "label": (Labels, LabelSets, Unlabelled),
    "labels": (LabelSets, Unlabelled),
    None: (Unlabelled,),
}


def supervision(kind: type[AnyObjective], dataset: Dataset, split: str) -> Supervision:
    """What a split tells of its images, in the form that an objective learns from.

    Raises:
        TaxohashError: it does not tell that; names what would fit.
    """
    given = GIVEN[dataset.label_column(split)]
    chosen = next((wanted for wanted in kind.supervision if wanted in given), None)
    if chosen is Labels:
        return Labels(torch.from_numpy(dataset.labels(split).copy()).long())
    if chosen is LabelSets:
        return LabelSets(torch.from_numpy(dataset.multi_hot(split)))
    if chosen is Unlabelled:
        return Unlabelled(dataset.count(split))
    fitting = [
        name for name, other in objectives().items() if trains(other) and {*other.supervision} & {*given}
    ]
    others = f" or use {', '.join(fitting)}" if fitting else ""
    raise TaxohashError(
        f"objective {kind.name!r} learns from {kind.learns_from()}, split {split!r} of {dataset.folder} has "
        f"{given[0].name}: give another set{others}"
    )


def trains(kind: type[Any]) -> bool:
    """Whether an objective trains networks with binary codes."""
    return kind.binary and not issubclass(kind, Projection)
