"""fit(): the only training loop. It knows networks and objectives by their interface alone."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.networks.batch_size import at_once
from taxohash.objectives.base import AnyObjective, Batch
from taxohash.objectives.supervision import Supervision
from taxohash.runtime.atomic import write_text
from taxohash.runtime.progress import announce, bars, console
from taxohash.training import distributed
from taxohash.training.augmentation import crop, margin, random_views
from taxohash.training.batches import batches, check_batches, check_network
from taxohash.training.checkpoint import CHECKPOINT, restore_checkpoint, save_checkpoint
from taxohash.training.config import TrainingConfig
from taxohash.training.distributed import all_gather, broadcast, shard
from taxohash.training.losses import Losses
from taxohash.training.memory import keep_freed_memory
from taxohash.training.staging import send, stage, take

LOG = "log.jsonl"
# The host waits for the device to look at the loss: now and then is enough.
NOTE_STEPS = 20


def fit(
    network: nn.Module,
    objective: AnyObjective,
    inputs: Tensor,
    config: TrainingConfig,
    out: Path,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Train `network` in place, writing a checkpoint and the log after each epoch.

    What is known of the inputs is `objective.setting.supervision`; an epoch is a pass over its examples.
    Found in `out`, a checkpoint is continued from, with the result an uninterrupted run would have had.
    Several processes of one `distributed.group` train together, on the same batches as one would; all give
    the same arguments, and the first writes.

    Args:
        network: from a batch of `inputs` to float[n, width]; in training mode the outputs of the objective's heads
            follow, in their order.
        objective: the loss and its state.
        inputs: uint8[N, C, side, side] images or float[N, D] features, in memory.
        out: directory of the checkpoint and the log.

    Returns:
        One record an epoch: epoch, seconds, lr, loss and its terms.

    Raises:
        TaxohashError: as `check_fit`, features that are not finite or are to be augmented, a loss that is not finite,
            or a checkpoint that is not of this network and objective.
    """
    check_fit(network, objective, inputs.shape[1:], config)
    if inputs.is_floating_point() and not inputs.isfinite().all():
        row = int((~inputs.isfinite()).flatten(1).any(dim=1).nonzero()[0])
        raise TaxohashError(f"row {row} of the features has a number that is not finite: leave it out")
    if config.augment != "none" and inputs.ndim != 4:
        raise TaxohashError(f"augment = {config.augment!r} is for images, these are features: use 'none'")
    epochs = config.passes(len(objective.setting.supervision))
    if device == "cpu":
        keep_freed_memory()
    network.to(device)
    objective.to(device)
    if inputs.ndim == 4:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned = [p for module in (network, objective) for p in module.parameters() if p.requires_grad]
    optimiser = _optimiser(learned, config)
    log = restore_checkpoint(out / CHECKPOINT, network, objective, optimiser)
    if len(log) > epochs:
        raise TaxohashError(
            f"checkpoint {out / CHECKPOINT} is of {len(log)} epochs, not {epochs}: delete it to start again"
        )
    broadcast(objective)
    trained = distributed.parallel(network)
    inputs, supervision = stage(inputs, device), objective.setting.supervision
    known = supervision.to(device)
    writes = distributed.rank() == 0
    steps = len(batches(torch.arange(len(supervision)), config.batch))
    losses = Losses(config.lr)
    with bars(writes) as progress, torch.random.fork_rng():
        task = progress.add_task("training", total=epochs * steps, completed=len(log) * steps, note="")
        for epoch in range(len(log), epochs):
            started = time.perf_counter()
            # Seeding each epoch by itself makes a continued run equal to an uninterrupted one.
            torch.manual_seed(config.seed * 1_000_003 + epoch)
            windows = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
            objective.start_epoch(epoch, epochs)
            losses.start(epoch, steps)
            network.train()
            for step, examples in enumerate(batches(torch.randperm(len(supervision)), config.batch)):
                rate = config.lr * _schedule(epoch * steps + step, epochs * steps, config.warmup)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                rows = supervision.images(examples)
                outputs = _outputs(trained, inputs, rows, objective.views, config, windows, device)
                terms = objective.loss(
                    _batch(objective, outputs, known[send(examples, device)], send(rows, device))
                )
                loss = torch.stack(list(terms.values())).sum()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                gradient = torch.nn.utils.clip_grad_norm_(learned, config.clip)
                optimiser.step()
                losses.add(len(examples), loss, terms, outputs, gradient)
                progress.update(task, advance=1)
                if step % NOTE_STEPS == 0:
                    progress.update(task, note=f"loss {losses.read()['loss']:.3f}")
            means = losses.read()
            broadcast(network)
            if objective.wants_outputs:
                with autocast(config, device):
                    outputs = embed(network, inputs, device)
                objective.end_epoch(outputs.float(), known)
            broadcast(objective)
            record = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - started, 3), "lr": rate}
            log.append(record | means)
            if not writes:
                continue
            save_checkpoint(out / CHECKPOINT, network, objective, optimiser, log)
            write_text(out / LOG, "".join(json.dumps(line) + "\n" for line in log))
            if not console.is_terminal:
                announce(f"epoch {epoch + 1}/{epochs}: loss {log[-1]['loss']:.4f}, {record['seconds']} s")
    network.eval()
    return log


def check_fit(
    network: nn.Module, objective: AnyObjective, shape: Sequence[int], config: TrainingConfig
) -> None:
    """Make sure that a network can be trained at all, before anything is written.

    Args:
        shape: of an input.

    Raises:
        TaxohashError: an objective that compares several views of images that are not augmented, or more examples
            than a batch has; or a network that cannot learn from the smallest batch.
    """
    check_batches(objective, config.batch)
    check_network(network, len(objective.setting.supervision), config.batch, shape)
    if objective.views > 1 and config.augment == "none":
        raise TaxohashError(
            f"objective {objective.name!r} compares {objective.views} views of an image, which augment = 'none' "
            "leaves alike: use crop or crop-flip"
        )


@torch.no_grad()
def embed(network: nn.Module, inputs: Tensor, device: str = "cpu", batch: int | None = None) -> Tensor:
    """Outputs float[N, bits] of the network in evaluation mode."""
    network.eval()
    parts = []
    for rows in torch.arange(len(inputs)).split(batch or at_once(inputs.shape[1:], device)):
        parts.append(all_gather(network(take(inputs, shard(rows), device)), len(rows)))
    return torch.cat(parts)


def _outputs(
    network: nn.Module,
    inputs: Tensor,
    rows: Tensor,
    views: int,
    config: TrainingConfig,
    windows: torch.Generator,
    device: str,
) -> Tensor:
    """float[n, ...] of a training batch, of which each process computes its shard.

    Args:
        rows: int64[n], or int64[n, m] where an example shows m images.

    Returns:
        float[n, outputs], [n, m, outputs], [n, views, outputs] or [n, m, views, outputs].
    """
    own = shard(rows)
    batch = take(inputs, own.flatten().repeat_interleave(views), device)
    if config.augment != "none":
        side = batch.shape[-1]
        # Drawn for the whole batch, so that an image's window does not depend on who computes it.
        drawn = random_views(rows.numel(), views, 2 * margin(side), config.augment == "crop-flip", windows)
        drawn = shard(drawn.unflatten(0, rows.shape)).reshape(-1, 3)
        batch = crop(batch, send(drawn, device), side, margin(side))
    with autocast(config, device):
        outputs = network(batch)
    several = (views,) if views > 1 else ()
    return all_gather(outputs.float().unflatten(0, (*own.shape, *several)), len(rows))


def _batch(objective: AnyObjective, outputs: Tensor, supervision: Supervision, rows: Tensor) -> Batch[Any]:
    """What the loss sees: the examples last but one, and the outputs of each head apart."""
    hashed, *heads = outputs.movedim(0, -2).split([objective.width, *objective.heads.values()], dim=-1)
    named = dict(zip(objective.heads, heads, strict=True))
    return Batch(hashed, supervision, rows.movedim(0, -1), named)


def autocast(config: TrainingConfig, device: str) -> torch.autocast:
    """The context in which a network computes in the configured precision."""
    kind = torch.device(device).type
    automatic = "bfloat16" if kind == "cuda" else "float32"
    precision = automatic if config.precision == "auto" else config.precision
    return torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16")


def _schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the highest learning rate in step `step` of `steps`, counted from 0."""
    if steps == 1:  # the only one: it would begin the rise, at zero, and nothing would be learned
        return 1.0
    done = step / steps
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)


def _optimiser(parameters: list[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, config.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, config.lr)
