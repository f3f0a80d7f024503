"""Several processes train as one: torchrun starts them, each computes its shard of every batch.

    torchrun --nproc-per-node 2 -m taxohash.cli train --data data --out runs/first

Every process walks through the same batches in the same order and draws the same random numbers. It
computes the outputs of its shard of a batch; the outputs of all shards are gathered, and every process
computes the loss of the whole batch, so that objectives over pairs or triplets see what they would see
in one process. Losses, gradients and weights are those of one process up to rounding, with two exceptions:
batch normalisation takes its statistics from each shard on CPU (on CUDA plain batch norms are made to share
them), and dropout draws other masks. Each process holds the whole training set in its memory.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from taxohash.errors import TaxohashError

_groups = itertools.count()


def device() -> str:
    """Where a process trains: `cuda` where there is one, each process its own, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def group() -> Iterator[None]:
    """Join the processes that torchrun started, if it did and they are not joined yet.

    gloo connects CPUs, nccl CUDA devices.

    Raises:
        TaxohashError: several processes are announced, but not how to reach them.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    on_cuda = device() == "cuda"
    try:
        if on_cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        store, place, size = next(rendezvous("env://"))
        # Each group has its own part of the store: the addresses of the last one are still in it.
        store = PrefixStore(f"group{next(_groups)}", store)
        dist.init_process_group("nccl" if on_cuda else "gloo", store=store, rank=place, world_size=size)
    except ValueError as error:
        raise TaxohashError(f"processes cannot meet ({error}): start them with torchrun") from None
    try:
        yield
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0; process 0 writes and talks."""
    return dist.get_rank() if dist.is_initialized() else 0


def barrier() -> None:
    """Until all processes are here."""
    if world_size() > 1:
        dist.barrier()


def shard(batch: Tensor) -> Tensor:
    """This process's part of a batch, along the first dimension.

    All parts have the same length: where the batch does not divide, its first items are used again,
    and `all_gather` drops their outputs.
    """
    if world_size() == 1:
        return batch
    length = -(-len(batch) // world_size())
    own = torch.arange(rank() * length, (rank() + 1) * length) % len(batch)
    return batch[own.to(batch.device)]


def all_gather(outputs: Tensor, count: int) -> Tensor:
    """Outputs of the whole batch of `count` items, from the outputs of each shard; differentiable."""
    if world_size() == 1:
        return outputs
    gathered: Tensor = _AllGather.apply(outputs)  # type: ignore[no-untyped-call]
    return gathered[:count]


def parallel(network: nn.Module) -> nn.Module:
    """The network as it is called in training: its gradients become the mean over processes."""
    if world_size() == 1:
        return network
    on_cuda = next(network.parameters()).is_cuda
    if on_cuda:
        sync_batch_norm(network)
    return nn.parallel.DistributedDataParallel(
        network, device_ids=[torch.cuda.current_device()] if on_cuda else None
    )


def sync_batch_norm(network: nn.Module) -> None:
    """Let plain batch norms take their statistics from all processes; parameters and names stay.

    Subclasses stay as they are: they may do more than to normalise.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d):
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))


def broadcast(module: nn.Module) -> None:
    """Give every process the state of process 0: rounding and decisions by sign must not part them."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            whole = tensor.contiguous()
            dist.broadcast(whole, 0)
            tensor.copy_(whole)


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor) -> Tensor:
        parts = [torch.empty_like(outputs) for _ in range(world_size())]
        dist.all_gather(parts, outputs.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Each process has the gradient of the whole loss. The mean that `parallel` takes over the
        # processes divides what each shard contributes, hence the factor.
        return gradient.chunk(world_size())[rank()] * world_size()
