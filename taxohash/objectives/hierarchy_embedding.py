"""Hierarchy-based embeddings: real vectors whose inner products are the similarities of the tree.

Barz and Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019. The reference
without bits to count.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import NonNegative, configuration
from taxohash.taxonomy.similarity import height_similarity


@configuration
class HierarchyEmbeddingConfig:
    """Hyper-parameters of the embedding.

    Attributes:
        classification: weight of the cross-entropy of a classifier on the embedding.
    """

    classification: NonNegative = 0.1


class HierarchyEmbedding(Objective[HierarchyEmbeddingConfig, Labels]):
    """L = 1 - <f / |f|, phi_y> + 0.1 CE, with phi_i.phi_j = 1 - height(common ancestor) / height(root)."""

    name: ClassVar[str] = "hierarchy_embedding"
    title: ClassVar[str] = "Hierarchy-based Image Embeddings for Semantic Image Retrieval"
    year: ClassVar[int] = 2019
    supervision: ClassVar[Kinds] = (Labels,)
    hierarchical: ClassVar[bool] = True
    keeps: ClassVar[str] = "the similarities of the tree, in real vectors"
    config_type: ClassVar[type[Any]] = HierarchyEmbeddingConfig
    smallest_batch: ClassVar[int] = 2  # of one example batch normalisation has no statistics
    binary: ClassVar[bool] = False

    def __init__(self, setting: Setting, config: HierarchyEmbeddingConfig) -> None:
        super().__init__(setting, config)
        self.register_buffer(
            "embeddings", class_embeddings(torch.from_numpy(height_similarity(setting.taxonomy)))
        )
        self.classifier = nn.Sequential(
            nn.ReLU(), nn.BatchNorm1d(self.width), nn.Linear(self.width, self.width)
        )

    @property
    def width(self) -> int:
        return len(self.setting.taxonomy)

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        cosine = (normalize(outputs) * self.get_buffer("embeddings")[labels]).sum(dim=1)
        classes = cross_entropy(self.classifier(outputs), labels)
        return {"embedding": (1 - cosine).mean(), "class": self.config.classification * classes}

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        return normalize(outputs)

    def class_codes(self) -> Tensor:
        return self.get_buffer("embeddings")


def class_embeddings(similarity: Tensor) -> Tensor:
    """Unit vectors float[C, C] with the given inner products float64[C, C]: the rows of its Cholesky factor.

    A tree similarity with ones only on the diagonal is positive definite, so the factor exists.
    """
    factor: Tensor = torch.linalg.cholesky(similarity)
    return factor.to(torch.get_default_dtype())
