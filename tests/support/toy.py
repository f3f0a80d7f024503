"""A toy hierarchy: 3 superclasses of 3 classes whose features tell nothing of the superclasses."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from taxohash.codes import pack
from taxohash.objectives import AnyObjective, Batch, Setting, build
from taxohash.objectives.base import Projection
from taxohash.objectives.supervision import Labels
from taxohash.protocols import evaluate
from taxohash.taxonomy import Taxonomy

TREE = Taxonomy("toy", tuple((f"s{c // 3}", f"c{c}") for c in range(9)), ("super", "class"))
RAGGED = Taxonomy(
    "ragged",
    (("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("i",)),
    ("top", "middle", "leaf"),
)
BITS = 16


@dataclass(frozen=True)
class Toy:
    features: Tensor
    labels: Tensor
    queries: Tensor
    query_labels: Tensor


def toy(seed: int = 0, images: int = 30, noise: float = 0.5) -> Toy:
    """Noisy copies of nine orthogonal directions."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.eye(9, 24) * 3
    labels, query_labels = (torch.arange(9).repeat_interleave(n) for n in (images, 10))
    features, queries = (
        directions[y] + noise * torch.randn(len(y), 24, generator=generator) for y in (labels, query_labels)
    )
    return Toy(features, labels, queries, query_labels)


def setting(taxonomy: Taxonomy, labels: Tensor, bits: int = BITS) -> Setting:
    return Setting(bits, taxonomy, Labels(labels))


def train(objective: AnyObjective, data: Toy, epochs: int = 12, batch: int = 45) -> nn.Module:
    """A head on the toy's features, by Adam; a closed form where the method has one."""
    if isinstance(objective, Projection):
        linear = nn.Linear(24, objective.width)
        linear.weight.data, linear.bias.data = objective.solve(data.features)
        return linear
    network = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, objective.width))
    optimiser = torch.optim.Adam([*network.parameters(), *objective.parameters()], 1e-2)
    labels = Labels(data.labels)
    for epoch in range(epochs):
        objective.start_epoch(epoch, epochs)
        for rows in torch.randperm(len(data.labels)).split(batch):
            loss = sum(objective.loss(Batch(network(data.features[rows]), labels[rows], rows)).values())
            assert isinstance(loss, Tensor)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if objective.wants_outputs:
            with torch.no_grad():
                objective.end_epoch(network(data.features), labels)
    return network


def scores(name: str, learns_from: Taxonomy = TREE, seed: int = 0) -> dict[str, float]:
    """Fine mAP and mAHP, measured on TREE, of a method that learned from a tree."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        data = toy(seed)
        objective = build(name, setting(learns_from, data.labels), {})
        network = train(objective, data)
        with torch.no_grad():
            database = objective.search_form(network(data.features)).numpy()
            queries = objective.search_form(network(data.queries), query=True).numpy()
    labels = (data.query_labels.numpy().astype(np.int32), data.labels.numpy().astype(np.int32))
    if objective.binary:
        bits = database.shape[1]
        found = evaluate("hierarchical", pack(queries), labels[0], pack(database), labels[1], TREE, bits=bits)
    else:
        found = evaluate("hierarchical", queries, labels[0], database, labels[1], TREE, metric="l2")
    return found.headline


def shuffled(taxonomy: Taxonomy) -> Taxonomy:
    """The classes of every superclass spread over all of them."""
    order = [0, 3, 6, 1, 4, 7, 2, 5, 8]
    return replace(taxonomy, paths=tuple(taxonomy.paths[label] for label in order))
