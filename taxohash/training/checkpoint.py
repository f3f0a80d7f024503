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
    _write(path, {name: tensor.contiguous() for name, tensor in _tensors(network, objective)})


def read_weights(path: Path) -> dict[str, Tensor]:
    """What `save_weights` wrote, by name.

    Raises:
        TaxohashError: absent or damaged, or a number that is not finite.
    """
    try:
        path.open("rb").close()  # safetensors says of any file it may not read that there is none
        with safe_open(path, "pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except OSError as error:
        raise TaxohashError(
            f"weights {path} cannot be read ({error.strerror}): put them back, or train again"
        ) from None
    except SafetensorError as error:
        raise TaxohashError(f"weights {path} are damaged ({error}): train again") from None
    if wrong := next((name for name, tensor in stored.items() if not tensor.isfinite().all()), None):
        raise TaxohashError(f"weights {path} hold a number in {wrong} that is not finite: train again")
    return stored


def state_of(part: str, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of one part, `network` or `objective`, among what was stored."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}


def load_part(path: Path, stored: Mapping[str, Tensor], part: str, module: nn.Module) -> None:
    """Give a module its stored state; `path`, where that was read, is named in errors.

    Raises:
        TaxohashError: it is the state of another module.
    """
    state, known = state_of(part, stored), module.state_dict()
    try:
        for name in known.keys() & state.keys():
            if state[name].dtype != known[name].dtype:
                raise RuntimeError(f"{name} is {state[name].dtype}, not {known[name].dtype}")
        module.load_state_dict(state)
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
    _write(path, tensors, {"log": json.dumps(log)})


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    try:
        with replacing(path) as draft:
            save_file(tensors, draft, metadata=metadata)
    except SafetensorError as error:  # what it makes of a full disk
        raise TaxohashError(f"{path} cannot be written ({error}): free some space") from None


def restore_checkpoint(
    path: Path, network: nn.Module, objective: nn.Module, optimiser: torch.optim.Optimizer
) -> list[dict[str, Any]]:
    """Give network, objective and optimiser the state that `save_checkpoint` wrote, if it did; the log until there.

    Raises:
        TaxohashError: damaged, or of another network, objective or optimiser.
    """
    if not path.exists():
        return []
    try:
        with safe_open(path, "pt") as file:
            log = _records(json.loads(file.metadata()["log"]))
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = _optimiser_state(optimiser, stored)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TaxohashError(f"checkpoint {path} cannot be read ({error}): delete it to start again") from None
    load_part(path, stored, "network", network)
    load_part(path, stored, "objective", objective)
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    return log


def _records(log: Any) -> list[dict[str, Any]]:
    names = {"epoch", "seconds", "lr", "loss"}
    if not isinstance(log, list) or not all(
        isinstance(record, dict) and names <= {*record} for record in log
    ):
        raise ValueError("its log is no list of epochs")
    return log


def _optimiser_state(
    optimiser: torch.optim.Optimizer, stored: Mapping[str, Tensor]
) -> dict[int, dict[str, Tensor]]:
    """What is kept of each parameter, by its number: of its shape, or one number."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in stored.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            number = int(index)
            if not 0 <= number < len(parameters) or tensor.shape not in (parameters[number].shape, ()):
                raise ValueError(f"{name} fits no parameter")
            state.setdefault(number, {})[key] = tensor
    return state
