"""Hashers of the miniature set: briefly and longer trained, and one that learned from a shuffled tree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from taxohash.datasets import Dataset
from taxohash.evaluation.run import evaluate_run
from taxohash.networks.hashing import HashingNetwork
from taxohash.taxonomy import Taxonomy
from taxohash.training.config import HasherConfig, ObjectiveConfig, TrainingConfig
from taxohash.training.run import train
from tests.support.miniature import TAXONOMY, make_dataset

BITS = 32
# Gentler than the default, which suits sets a hundred times as large.
TRAINING = TrainingConfig(batch=32, optimiser="adam", lr=5e-3)
SHORT, LONG = 2, 8
# Each group holds a dark and a light class of different shapes.
SHUFFLED = Taxonomy(
    "shuffled",
    tuple(
        (group, shape, "-".join(path))
        for path, group, shape in zip(TAXONOMY.paths, "abcbca", ("p", "q", "r", "s", "t", "u"), strict=True)
    ),
)


@dataclass(frozen=True)
class Trained:
    """A trained hasher with its headline metrics, graded by the true tree."""

    network: HashingNetwork
    metrics: dict[str, float]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("model") / "data", taxonomy=flat_names(TAXONOMY))


@pytest.fixture(scope="session")
def trained(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    folder = tmp_path_factory.mktemp("runs")

    @cache
    def make(objective: str, epochs: int = LONG, shuffled: bool = False) -> Trained:
        where, own = folder / f"{objective}-{epochs}-{shuffled}", data
        if shuffled:
            own = make_dataset(folder / f"data-{objective}", taxonomy=SHUFFLED)
        config = HasherConfig(
            objective=ObjectiveConfig(name=objective), bits=BITS, training=replace(TRAINING, epochs=epochs)
        )
        run = train(own.folder, where, config)
        report = evaluate_run(run.folder, graded_by=tree_file(folder, data))
        return Trained(run.network(), report.headline)

    return make


def tree_file(folder: Path, data: Dataset) -> Path:
    data.taxonomy.save(folder / "true.json")
    return folder / "true.json"


def flat_names(tree: Taxonomy) -> Taxonomy:
    """The tree with labels whose own names differ, so that another tree can grade them."""
    return replace(tree, level_names=(), paths=tuple((*path[:-1], "-".join(path)) for path in tree.paths))
