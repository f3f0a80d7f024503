"""DQN: cosine similarity of real vectors that a product quantiser can hold.

Cao, Long, Wang, Zhu and Wen, "Deep Quantization Network for Efficient Image Retrieval", AAAI 2016.
"""

from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from taxohash.errors import TaxohashError
from taxohash.objectives.base import Batch, Objective, Setting
from taxohash.objectives.parts.classwise import class_means
from taxohash.objectives.parts.pairs import distinct, mean_over_pairs, same_label
from taxohash.objectives.supervision import Kinds, Labels
from taxohash.runtime.configuration import Count, NonNegative, configuration

CODEWORDS = 256


@configuration
class DQNConfig:
    """Hyper-parameters of DQN.

    Attributes:
        dimensions: of the vectors, rounded down to a multiple of the number of subspaces.
        quantisation: lambda grows by this with every epoch.
        rounds: of k-means after the first epoch; later epochs make one from the last codebooks.
    """

    dimensions: Annotated[Count, Field(le=65_536)] = 300
    quantisation: NonNegative = 1e-4
    rounds: Count = 10


class DQN(Objective[DQNConfig, Labels]):
    """L = mean_ij (s_ij - cos(z_i, z_j))^2 + lambda ||z - C b||^2, s = +-1.

    One codebook of 256 words for each 8 bits, each on its own subspace, so the best b takes the nearest
    word of every subspace. Search compares the query's vector with the database's quantised ones.
    """

    name: ClassVar[str] = "dqn"
    title: ClassVar[str] = "Deep Quantization Network for Efficient Image Retrieval"
    year: ClassVar[int] = 2016
    supervision: ClassVar[Kinds] = (Labels,)
    keeps: ClassVar[str] = "same or different finest class, by quantised vectors"
    config_type: ClassVar[type[Any]] = DQNConfig
    binary: ClassVar[bool] = False
    smallest_batch: ClassVar[int] = 2
    wants_outputs: ClassVar[bool] = True

    def __init__(self, setting: Setting, config: DQNConfig) -> None:
        super().__init__(setting, config)
        if setting.bits % 8:
            raise TaxohashError(
                f"dqn: {setting.bits} bits are no multiple of 8: it takes 8 for each codebook"
            )
        self.spaces = setting.bits // 8
        if config.dimensions < self.spaces:
            raise TaxohashError(
                f"dqn: dimensions = {config.dimensions} cannot give each of {self.spaces} codebooks a subspace: use at "
                f"least {self.spaces}, or fewer bits"
            )
        self.register_buffer("codebooks", torch.zeros(self.spaces, CODEWORDS, self.width // self.spaces))
        self.register_buffer("epochs_done", torch.zeros((), dtype=torch.int64))

    @property
    def width(self) -> int:
        spaces = self.setting.bits // 8
        return self.config.dimensions // spaces * spaces

    def loss(self, batch: Batch[Labels]) -> dict[str, Tensor]:
        outputs, labels = batch.outputs, batch.supervision.labels
        pairs = distinct(labels)
        unit = normalize(outputs)
        wanted = torch.where(same_label(labels), 1.0, -1.0)
        terms = {"pairs": mean_over_pairs((wanted - unit @ unit.T)[pairs].square())}
        epoch = int(self.get_buffer("epochs_done"))
        if epoch:  # there is nothing to quantise with before the first codebooks
            gap = (outputs - self.quantise(outputs.detach())).square().sum(dim=1).mean()
            terms["quantisation"] = self.config.quantisation * epoch * gap
        return terms

    def end_epoch(self, outputs: Tensor, supervision: Labels) -> None:
        epochs = self.get_buffer("epochs_done")
        parts = self._parts(outputs)
        books = self.get_buffer("codebooks")
        if epochs == 0:
            start = torch.randperm(len(outputs))[:CODEWORDS].to(outputs.device)
            start = start.repeat(-(-CODEWORDS // len(start)))[:CODEWORDS]
            books.copy_(parts[:, start])
        for _ in range(self.config.rounds if epochs == 0 else 1):
            for space, book in enumerate(books):
                book.copy_(class_means(parts[space], nearest(parts[space], book), CODEWORDS, book))
        epochs += 1

    def quantise(self, outputs: Tensor) -> Tensor:
        """The nearest word of every subspace, float[n, width]."""
        words = [
            book[nearest(part, book)]
            for part, book in zip(self._parts(outputs), self.get_buffer("codebooks"), strict=True)
        ]
        return torch.cat(words, dim=1)

    def search_form(self, outputs: Tensor, query: bool = False) -> Tensor:
        return outputs if query else self.quantise(outputs)

    def _parts(self, outputs: Tensor) -> Tensor:
        parts: Tensor = outputs.unflatten(1, (self.spaces, -1)).transpose(0, 1)
        return parts


def nearest(vectors: Tensor, words: Tensor) -> Tensor:
    """int64[n]: the nearest word of each vector by Euclidean distance."""
    likeness: Tensor = vectors @ words.T - 0.5 * words.square().sum(dim=1)
    best: Tensor = likeness.argmax(dim=1)
    return best
