"""Weights and checkpoints: one safetensors file each, so that no pickle is written or read."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import replacing

CHECKPOINT = "checkpoint.safetensors"


def _tensors(network: nn.Module, objective: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for prefix, module in (("network", network), ("objective", objective)):
        for name, tensor in module.state_dict().items():
            yield f"{prefix}.{name}", tensor


def save_weights(path: Path, network: nn.Module, objective: nn.Module) -> None:
    """Write the state of network and objective as safetensors, `network.*` and `objective.*`."""
    with replacing(path) as draft:
        save_file({name: tensor.contiguous() for name, tensor in _tensors(network, objective)}, draft)


def read_weights(path: Path) -> dict[str, Tensor]:
    """What `save_weights` wrote, by name.

    Raises:
        TaxohashError: absent or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise TaxohashError(f"weights {path} cannot be read ({error}): train again") from None


def state_of(part: str, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of one part, `network` or `objective`, among what was stored."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}


def load_part(path: Path, stored: Mapping[str, Tensor], part: str, module: nn.Module) -> None:
    """Give a module its stored state; `path`, where that was read, is named in errors.

    Raises:
        TaxohashError: it is the state of another module.
    """
    try:
        module.load_state_dict(state_of(part, stored))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise TaxohashError(f"{path} is of another {part} ({reason}): choose another folder") from None


def save_checkpoint(
    path: Path,
    network: nn.Module,
    objective: nn.Module,
    optimiser: torch.optim.Optimizer,
    log: list[dict[str, Any]],
) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in _tensors(network, objective)}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"optimiser.{index}.{key}"] = torch.as_tensor(value).contiguous()
    with replacing(path) as draft:
        save_file(tensors, draft, metadata={"log": json.dumps(log)})


def restore_checkpoint(
    path: Path, network: nn.Module, objective: nn.Module, optimiser: torch.optim.Optimizer
) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        with safe_open(path, "pt") as file:
            log: list[dict[str, Any]] = json.loads(file.metadata()["log"])
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise TaxohashError(f"checkpoint {path} cannot be read ({error}): delete it to start again") from None
    load_part(path, stored, "network", network)
    load_part(path, stored, "objective", objective)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in stored.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    return log
