"""How data reach the device: bytes as they are, without a wait of the host for the device."""

import torch
from torch import Tensor

# Part of the device's free memory that a training set may take to live there.
RESIDENT = 0.25


def stage(inputs: Tensor, device: str) -> Tensor:
    """The inputs on the device if they are small beside its free memory, else where they are."""
    if torch.device(device).type != "cuda":
        return inputs
    free, _ = torch.cuda.mem_get_info()
    return inputs.to(device) if inputs.nbytes <= RESIDENT * free else inputs


def take(inputs: Tensor, rows: Tensor, device: str) -> Tensor:
    """Some rows of staged inputs, on the device; `rows` is int64[n] in host memory."""
    if inputs.device.type == torch.device(device).type:
        return inputs[send(rows, device)]
    batch = torch.empty((len(rows), *inputs.shape[1:]), dtype=inputs.dtype, pin_memory=True)
    torch.index_select(inputs, 0, rows, out=batch)
    return batch.to(device, non_blocking=True)


def send(tensor: Tensor, device: str) -> Tensor:
    """A small tensor in host memory to the device, without a wait."""
    if torch.device(device).type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
