"""What is known of training images: a label each, a set of labels each, pairs or triplets of them, nothing.

Each kind is tensors with one row an example. An example is an image, or the two or three images that are compared.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Supervision:
    """What is known of every example, as tensors with one row an example.

    Class attributes:
        name: of the kind, in the plural, as it is told to users.
    """

    name: ClassVar[str]

    def __len__(self) -> int:
        """Number of examples."""
        first: Tensor = getattr(self, fields(self)[0].name)
        return len(first)

    def __getitem__(self, examples: Tensor) -> Self:
        """What is known of some examples, int64[n]."""
        return self._each(lambda tensor: tensor[examples])

    def to(self, device: str | torch.device) -> Self:
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def images(self, examples: Tensor) -> Tensor:
        """Rows of the examples' images in the training set: int64[n], or int64[n, m] where one shows m images."""
        return examples

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(*(change(getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True)
class Labels(Supervision):
    """One label an image.

    Attributes:
        labels: int64[N] into the taxonomy.
    """

    name: ClassVar[str] = "labels"
    labels: Tensor


@dataclass(frozen=True)
class LabelSets(Supervision):
    """Any number of labels an image.

    Attributes:
        sets: bool[N, C], whether an image has a label of the taxonomy; little beside the image's pixels.
    """

    name: ClassVar[str] = "label sets"
    sets: Tensor


@dataclass(frozen=True)
class Pairs(Supervision):
    """How alike two images are, for given pairs of them.

    Attributes:
        pairs: int64[P, 2], rows in the training set.
        similarity: float[P], 1 for similar and 0 for dissimilar, or between.
    """

    name: ClassVar[str] = "pairs of images"
    pairs: Tensor
    similarity: Tensor

    def images(self, examples: Tensor) -> Tensor:
        return self.pairs[examples]


@dataclass(frozen=True)
class Triplets(Supervision):
    """Which of two images is more like a third, for given triplets of them.

    Attributes:
        triplets: int64[T, 3], rows in the training set: anchor, the more and the less similar.
    """

    name: ClassVar[str] = "triplets of images"
    triplets: Tensor

    def images(self, examples: Tensor) -> Tensor:
        return self.triplets[examples]


@dataclass(frozen=True)
class Unlabelled(Supervision):
    """Images of which nothing is known.

    Attributes:
        count: of the images.
    """

    name: ClassVar[str] = "images alone"
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, examples: Tensor) -> Self:
        return type(self)(len(examples))

    def to(self, device: str | torch.device) -> Self:
        return self


Kinds = tuple[type[Supervision], ...]
