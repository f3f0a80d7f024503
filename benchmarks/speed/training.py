"""How busy fit() keeps the device: its images a second beside the bare backbone's.

    python -m benchmarks.speed.training [--network efficientnet_lite0] [--size 224] [--batch 128] [--steps 50]

Two things take turns, on a GPU if there is one: an epoch of fit() (images taken from the set and sent,
augmentation, normalisation, network, loss, gradients, clipping, optimiser), and as many forward and backward
passes of the same backbone, in the same precision, on one normalised batch that stays on the device. The
first turn of both warms up and does not count. A ratio of 1 would mean that everything around the backbone
is free.
"""

import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from benchmarks.common.command import start
from benchmarks.common.timing import interleaved, timed
from taxohash.networks.hashing import HashingNetwork, network
from taxohash.objectives import Setting, build
from taxohash.objectives.supervision import Labels
from taxohash.runtime import terminal
from taxohash.runtime.progress import console
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Taxonomy
from taxohash.training.config import TrainingConfig
from taxohash.training.distributed import device
from taxohash.training.fit import autocast, fit

TREE = Taxonomy("hundred", tuple((f"s{c // 5}", f"c{c}") for c in range(100)), ("superclass", "class"))
BITS = 48


def bare(made: HashingNetwork, images: Tensor, steps: int, config: TrainingConfig, on: str) -> float:
    """Seconds of some forward and backward passes of the backbone on one resident batch."""
    batch = (images.to(on).float() - made.mean) / made.std
    batch = batch.contiguous(memory_format=torch.channels_last)
    made.train()
    _finish(on)

    def passes() -> None:
        for _ in range(steps):
            made.backbone.zero_grad(set_to_none=True)
            with autocast(config, on):
                outputs = made.backbone(batch)
            outputs.float().sum().backward()
        _finish(on)

    return timed(passes).wall


def measure(
    name: str, size: int, channels: int, batch: int, steps: int, rounds: int, config: TrainingConfig
) -> dict[str, Any]:
    """Seconds an epoch of both, by turns; fit() continues from its own checkpoint from turn to turn."""
    on = device()
    torch.manual_seed(0)
    made = network(name, BITS, size, channels, pretrained=False).to(on)
    images = torch.randint(0, 256, (steps * batch, channels, size, size), dtype=torch.uint8)
    labels = torch.arange(len(images)) % len(TREE)
    objective = build("csq", Setting(BITS, TREE, Labels(labels)), {})
    with tempfile.TemporaryDirectory() as out:

        def epoch(turn: int) -> list[float]:
            longer = replace(config, epochs=turn + 1, batch=batch)
            log = fit(made, objective, images, longer, Path(out), on)
            return [log[-1]["seconds"]]

        ways = {"fit": epoch, "bare": lambda turn: [bare(made, images[:batch], steps, config, on)]}
        seconds = interleaved(ways, rounds)
    speed = {what: [len(images) / second for second in times] for what, times in seconds.items()}
    return {
        "images_per_second": {
            what: {"max": round(max(values), 1), "median": round(statistics.median(values), 1)}
            for what, values in speed.items()
        },
        "ratio": {
            "best": round(max(speed["fit"]) / max(speed["bare"]), 3),
            "median": round(statistics.median(speed["fit"]) / statistics.median(speed["bare"]), 3),
        },
        "device": torch.cuda.get_device_name() if on == "cuda" else f"CPU, {torch.get_num_threads()} threads",
    }


def _finish(on: str) -> None:
    if on == "cuda":
        torch.cuda.synchronize()


def main(
    backbone: Annotated[str, typer.Option("--network", help="backbone")] = "efficientnet_lite0",
    size: Annotated[int, typer.Option(help="input size in pixels")] = 224,
    channels: Annotated[int, typer.Option(help="1 or 3")] = 3,
    batch: Annotated[int, typer.Option(min=2, help="images a step")] = 128,
    steps: Annotated[int, typer.Option(min=1, help="steps a turn")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="turns that count")] = 5,
    augment: Annotated[str, typer.Option(help="none, crop or crop-flip")] = "crop-flip",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Images a second of fit() and of the bare backbone, and their ratio."""
    console.quiet = True
    config = TrainingConfig(augment=augment, precision=precision, lr=0.01)  # type: ignore[arg-type]
    found = measure(backbone, size, channels, batch, steps, rounds, config)
    asked = {"network": backbone, "size": size, "batch": batch, "steps": steps, "rounds": rounds}
    asked |= {"channels": channels, "augment": augment, "precision": precision}
    found = {"benchmark": "training", **asked, **found, "torch": torch.__version__, **revision()}
    if as_json:
        print(json.dumps(found))
        return
    rows = [
        (f"images/s, {what}", *(f"{value:,.1f}" for value in values.values()))
        for what, values in found["images_per_second"].items()
    ]
    rows.append(("fit / bare", *(f"{value:.3f}" for value in found["ratio"].values())))
    title = f"{backbone}, {size} px, {found['device']}"
    terminal.console().print(terminal.table(("", "best", "median"), rows, title, right=2))


if __name__ == "__main__":
    start(main)
