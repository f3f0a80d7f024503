"""Ordinary pictures while bombs are offered: how long they take, beside an idle server and this process alone.

python -m benchmarks.speed.decoding [--pictures 400] [--concurrency 8,16]

One client reads pictures one after the other; others offer bombs, each the next one 2 ms after its answer, about what a
request costs a server. Writes benchmarks/results/decoding.json and .md.
"""

import asyncio
import io
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from benchmarks.common.bombs import PROGRESSIVE, jpeg
from benchmarks.common.command import numbers, start
from benchmarks.common.places import RESULTS
from benchmarks.common.rows import Row, commits, matching, write_rows
from benchmarks.common.tables import publish, table
from services.retrieval.decoding.decoders import Decoders
from services.retrieval.settings import Limits
from services.web.refused import RefusedError
from taxohash.images import Preprocessing, read_pixels
from taxohash.runtime.provenance import revision

PREPROCESSING = Preprocessing(224, 3, "pad", (0.0,) * 3, (1.0,) * 3)
PAUSE = 0.002  # seconds between an answer and the next bomb of the same client
NONE, HERE = "none", "none, in this process"
ASKED = 3.0  # times of an idle server


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def ordinary() -> dict[str, bytes]:
    """A photograph and a small picture, of about 100 and 10 kB."""
    coarse = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    photo = Image.fromarray(coarse).resize((1024, 768), Image.Resampling.BICUBIC)
    return {"JPEG": saved(photo, "JPEG", quality=92), "PNG": saved(photo.resize((80, 60)), "PNG")}


def bombs() -> dict[str, list[bytes]]:
    """By name, what is offered in turns."""
    found = {
        "JPEG of 2,988 empty scans": [jpeg(4000, 4000, PROGRESSIVE, scans=2988)],
        "JPEG of 332,440 empty scans": [jpeg(4000, 4000, PROGRESSIVE, scans=332_440)],
        "JPEG of 500 empty scans, the most that are taken": [jpeg(4000, 4000, PROGRESSIVE, scans=500)],
        "PNG of 1 x 16,000,000": [saved(Image.new("RGBA", (1, 16_000_000)), "PNG")],
        "PNG of 4000 x 4000": [saved(Image.new(mode, (4000, 4000)), "PNG") for mode in ("RGBA", "RGB", "L")],
    }
    return {**found, "all of these": [bomb for kind in found.values() for bomb in kind]}


async def timings(read: Callable[[bytes], Awaitable[object]], pictures: int) -> Row:
    """Milliseconds of each ordinary picture."""
    row: Row = {}
    for name, picture in ordinary().items():
        spent = []
        for _ in range(pictures):
            begun = time.perf_counter()
            await read(picture)
            spent.append(1e3 * (time.perf_counter() - begun))
        row[name] = {
            "bytes": len(picture),
            "p50_ms": _percentile(spent, 50),
            "p99_ms": _percentile(spent, 99),
        }
    return row


async def under_attack(decoders: Decoders, offered: list[bytes], clients: int, pictures: int) -> Row:
    """The same while `clients` clients offer bombs."""
    answers: Counter[str] = Counter()

    async def client(number: int) -> None:
        while True:
            bomb = offered[number % len(offered)]
            number += 1
            try:
                await decoders.read(bomb, PREPROCESSING)
                answers["200"] += 1
            except RefusedError as refused:
                answers[f"{refused.status} {refused.reason}"] += 1
            await asyncio.sleep(PAUSE)

    tasks = [asyncio.create_task(client(number)) for number in range(clients)]
    await asyncio.sleep(1.0)
    try:
        return {
            **await timings(lambda picture: decoders.read(picture, PREPROCESSING), pictures),
            "answers": dict(answers),
        }
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure(concurrency: list[int], pictures: int) -> list[Row]:
    """A row of this process alone, one of idle decoders, and one of each attack."""

    async def here(picture: bytes) -> None:
        read_pixels(picture, PREPROCESSING)

    rows: list[Row] = []

    def add(attack: str, clients: int, found: Row) -> None:
        made_by = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), **revision()}
        rows.append(
            {"benchmark": "decoding", "attack": attack, "clients": clients, **found, "made_by": made_by}
        )

    decoders = Decoders(Limits())
    await decoders.start()
    try:
        await asyncio.sleep(3.0)  # until all of them are there
        await timings(lambda picture: decoders.read(picture, PREPROCESSING), 50)
        add(HERE, 0, await timings(here, pictures))
        add(NONE, 0, await timings(lambda picture: decoders.read(picture, PREPROCESSING), pictures))
        for name, offered in bombs().items():
            for clients in concurrency:
                add(name, clients, await under_attack(decoders, offered, clients, pictures))
    finally:
        await decoders.close()
    return rows


def as_markdown(rows: list[Row]) -> list[str]:
    """Every row, and how much longer pictures take than without an attack."""
    made = [row["made_by"] for row in rows]
    idle = matching(rows, attack=NONE)[0]
    lines = ["# Ordinary pictures while bombs are offered", "", "`python -m benchmarks.speed.decoding`", ""]
    lines += [
        f"Code of {commits(made)}; {made[0]['cores']} cores, load {min(m['load'] for m in made)} to"
        f" {max(m['load'] for m in made)}. p50 and p99 in milliseconds; the ratio is of p99 to that of idle decoders, and"
        f" {ASKED:g} are allowed.",
        "",
    ]
    cells = []
    for row in rows:
        times = [f"{row[name][p]:.2f}" for name in ("JPEG", "PNG") for p in ("p50_ms", "p99_ms")]
        ratios = [f"{row[name]['p99_ms'] / idle[name]['p99_ms']:.2f}" for name in ("JPEG", "PNG")]
        answers = ", ".join(f"{count} x {kind}" for kind, count in sorted(row.get("answers", {}).items()))
        cells.append([row["attack"], str(row["clients"] or ""), *times, *ratios, answers])
    head = [
        "attack",
        "clients",
        "JPEG p50",
        "p99",
        "PNG p50",
        "p99",
        "ratio JPEG",
        "PNG",
        "answers to the attack",
    ]
    return [*lines, *table(head, cells)]


def _percentile(values: list[float], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 3)


def main(
    pictures: Annotated[int, typer.Option(min=1, help="ordinary pictures of each kind, a row")] = 400,
    concurrency: Annotated[str, typer.Option(help="clients that offer bombs")] = "8,16",
) -> None:
    rows = asyncio.run(measure(numbers(concurrency), pictures))
    write_rows(RESULTS / "decoding.json", rows)
    publish(RESULTS / "decoding.md", as_markdown(rows))


if __name__ == "__main__":
    start(main)
