"""How an epoch is cut into steps, and whether an objective and a network can learn from such."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.objectives.base import AnyObjective
from taxohash.training import distributed


def batches(examples: Tensor, size: int) -> Sequence[Tensor]:
    """Examples int64[N] in batches of `size`; the last has what is left.

    One example that would be left alone joins the batch before: there it can be compared, and batch normalisation
    has statistics.
    """
    if 1 < size < len(examples) and len(examples) % size == 1:
        whole = examples[: -size - 1].split(size) if len(examples) > size + 1 else ()
        return [*whole, examples[-size - 1 :]]
    cut: Sequence[Tensor] = examples.split(size)
    return cut


def check_batches(objective: AnyObjective, size: int) -> None:
    """Make sure that batches have the examples that an objective compares.

    Raises:
        TaxohashError: none has so many.
    """
    count, needed = len(objective.setting.supervision), objective.smallest_batch
    told = f"objective {objective.name!r} compares {needed} examples of a batch"
    if count < needed:
        raise TaxohashError(f"{told}, the training split has {count}: give more")
    if size < needed:
        raise TaxohashError(f"batch = {size}: {told}: use batch = {needed} at least")


def check_network(network: nn.Module, count: int, size: int, shape: Sequence[int]) -> None:
    """Make sure that a network can learn from a single input, where batches of `count` inputs come to that.

    Args:
        shape: of an input.

    Raises:
        TaxohashError: it cannot, such as where batch normalisation has one value a channel.
    """
    last = min(len(batch) for batch in batches(torch.arange(count), size)[-2:])
    alone = math.ceil(last / distributed.world_size()) == 1
    shares_statistics = distributed.world_size() > 1 and distributed.device() == "cuda"
    if not alone or shares_statistics:
        return
    try:
        with torch.no_grad():
            copy.deepcopy(network).train()(torch.zeros(1, *shape))
    except ValueError as error:
        raise TaxohashError(
            f"batch = {size}: the network cannot learn from one image alone ({error}): give a larger batch, or more "
            f"than the {count} images of the training split"
        ) from None
