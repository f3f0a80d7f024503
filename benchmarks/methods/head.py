"""One run of the table: a head on frozen features, trained by one objective, evaluated once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.common.rows import Row
from benchmarks.methods.rankings import by_distance_and_weights, code_of, headlines
from benchmarks.methods.recipes import RECIPES, Recipe, set_name
from taxohash.codes import bit_health, unpack
from taxohash.datasets import Dataset
from taxohash.networks.features import features, frozen
from taxohash.networks.hashing import hidden_layers
from taxohash.objectives import AnyObjective, Setting, build, objective
from taxohash.objectives.base import Projection
from taxohash.objectives.itq import principal_components
from taxohash.objectives.supervision import Labels
from taxohash.protocols import evaluate
from taxohash.runtime.progress import console
from taxohash.taxonomy import Taxonomy
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import embed, fit

COMPONENTS = 256
HIDDEN = 256
SIZE = 96
# A real-valued ranking sorts the whole database for each query: a share of the queries must do.
REAL_QUERIES = 500


@dataclass(frozen=True)
class Problem:
    """Features and labels of the database, which is also the training set, and of the queries."""

    taxonomy: Taxonomy
    inputs: Tensor
    labels: Tensor
    queries: Tensor
    query_labels: npt.NDArray[np.int32]
    data_md5: str


@cache
def problem(folder: Path, stage: str, cache_folder: Path) -> Problem:
    """A data set as a stage sees it: the test queries for "table", held-out ones for "search"."""
    dataset = Dataset.open(folder)
    recipe = RECIPES[set_name(folder)]
    extractor = frozen("efficientnet_lite0", SIZE)

    def load(split: str) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int32]]:
        return features(dataset, split, extractor, cache_folder), dataset.labels(split)

    inputs, labels = load("train")
    if stage == "table":
        queries, query_labels = load("test")
    elif isinstance(recipe.held_out, str):
        queries, query_labels = load(recipe.held_out)
    else:
        order = np.random.default_rng(0).permutation(len(labels))
        held, rest = order[: recipe.held_out], np.sort(order[recipe.held_out :])
        queries, query_labels = inputs[held], labels[held]
        inputs, labels = inputs[rest], labels[rest]
    values = torch.from_numpy(inputs).float()
    mean, components = principal_components(values, COMPONENTS)
    # Half-way whitened: the head learns in a few epochs from all components, but the first count most.
    components = components / ((values - mean) @ components).std(dim=0).sqrt()
    reduced = (values - mean) @ components
    scale = reduced.std()
    return Problem(
        dataset.taxonomy,
        reduced / scale,
        torch.from_numpy(labels.copy()).long(),
        (torch.from_numpy(queries).float() - mean) @ components / scale,
        query_labels,
        dataset.md5(),
    )


def measure(task: Row, folder: Path, cache_folder: Path) -> Row:
    """Train and evaluate one task; metrics and code health for its row.

    Raises:
        TaxohashError: the loss was not finite.
    """
    known = problem(folder, task["stage"], cache_folder)
    taxonomy = shuffled(known.taxonomy, task["seed"]) if task["shuffled"] else known.taxonomy
    recipe = RECIPES[set_name(folder)]
    with quietly():
        learned, network = trained(task, known, taxonomy, recipe)
        with torch.no_grad():
            database = embed(network, known.inputs, batch=5000)
            queries = embed(network, known.queries, batch=5000)
        found = _evaluated(learned, known, queries, database, recipe.protocol)
    return found | {"data_md5": known.data_md5}


def trained(task: Row, known: Problem, taxonomy: Taxonomy, recipe: Recipe) -> tuple[AnyObjective, nn.Module]:
    """The objective of a task on a tree over the problem's labels, and its head; on one thread."""
    torch.set_num_threads(1)
    options = seeded(task["method"], task["options"], task["seed"])
    config = head_config(recipe, task["seed"], options.pop("lr", 1e-2))
    torch.manual_seed(task["seed"])
    learned = build(task["method"], Setting(task["bits"], taxonomy, Labels(known.labels)), options)
    return learned, train_head(learned, known, config)


def seeded(method: str, options: dict[str, Any], seed: int) -> dict[str, Any]:
    """Options with the seed, where the method draws something of its own."""
    draws = "seed" in (field.name for field in fields(objective(method).config_type))
    return options | {"seed": seed} if draws else dict(options)


def head_config(recipe: Recipe, seed: int, lr: float = 1e-2) -> TrainingConfig:
    """How a head is trained on frozen features."""
    return TrainingConfig(
        epochs=recipe.epochs,
        batch=recipe.batch,
        optimiser="adam",
        lr=lr,
        weight_decay=0.05,
        clip=100.0,
        seed=seed,
    )


def train_head(learned: AnyObjective, known: Problem, config: TrainingConfig) -> nn.Module:
    """The trained head of an objective, or its solved hash layer."""
    width = known.inputs.shape[1]
    if isinstance(learned, Projection):
        projection = nn.Linear(width, learned.width)
        projection.weight.data, projection.bias.data = learned.solve(known.inputs)
        return projection
    branches = learned.branches(learned.config)
    head = nn.Sequential(*hidden_layers(width, HIDDEN, learned.width, branches))
    with tempfile.TemporaryDirectory() as out:
        fit(head, learned, known.inputs, config, Path(out))
    return head


@contextmanager
def quietly() -> Iterator[None]:
    """No progress of what is inside: a head takes seconds, and several processes train at once."""
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


def _evaluated(
    learned: AnyObjective,
    known: Problem,
    queries: Tensor,
    database: Tensor,
    protocol: str,
) -> Row:
    """What outputs float[Q, width] of the queries find among float[N, width] of the database."""
    labels, query_labels = known.labels.numpy().astype(np.int32), known.query_labels
    if not learned.binary:
        some = np.linspace(0, len(queries) - 1, min(REAL_QUERIES, len(queries))).astype(int)
        with torch.no_grad():
            vectors = learned.search_form(database).numpy()
            asked = learned.search_form(queries, query=True).numpy()
        report = evaluate(
            protocol, asked[some], query_labels[some], vectors, labels, known.taxonomy, metric="l2"
        )
        return {"metrics": report.headline}
    reports = by_distance_and_weights(
        protocol, learned, queries, query_labels, database, labels, known.taxonomy
    )
    packed, bits = code_of(learned, database), reports[0].counts["bits"]
    return headlines(*reports) | {
        "health": {
            "entropy": bit_health(packed, bits).entropy,
            "class_distance": _least_distance(packed, labels, bits),
        },
    }


def _least_distance(packed: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], bits: int) -> int:
    """Least Hamming distance between the majority codes of two classes; 0 means that two classes collide."""
    ones = unpack(packed, bits)
    centres = np.stack([ones[labels == label].mean(axis=0) >= 0.5 for label in np.unique(labels)])
    distances = (centres[:, None] != centres[None]).sum(axis=2)
    return int(distances[~np.eye(len(centres), dtype=bool)].min())


def shuffled(taxonomy: Taxonomy, seed: int) -> Taxonomy:
    """A tree of the same shape whose leaves hang at random places: the control for every hierarchical method."""
    order = np.random.default_rng(seed).permutation(len(taxonomy))
    return replace(taxonomy, paths=tuple(taxonomy.paths[label] for label in order))
