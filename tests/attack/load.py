"""Valid searches at a fixed rate, from a process of their own, so that an attacker's own work delays none of them.

The loop is open: a search is due at its time, whatever became of those before, and its seconds count from then.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tests.attack.wire import Client, address_of, run, search
from tests.support.generations import pictures

How = Literal["kept", "fresh", "whole"]
ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0  # seconds that a search waits for its answer
PICTURES = 64  # that are searched for, in turn


@dataclass(frozen=True)
class Sample:
    """One search.

    Attributes:
        due: by time.monotonic.
        seconds: from then.
        outcome: see Answer.
        number: of the search.
        told: the answer's body, where it is wanted.
    """

    due: float
    seconds: float
    outcome: str
    number: int = 0
    told: str = ""


@dataclass
class Samples:
    """What became of the searches; filled when the last has ended."""

    found: list[Sample] = field(default_factory=list)

    def between(self, start: float, end: float) -> dict[str, Any]:
        """Figures of the searches that were due in a span: counts by outcome, milliseconds of those that got 200."""
        return figures([sample for sample in self.found if start <= sample.due < end])


def figures(samples: list[Sample]) -> dict[str, Any]:
    """Counts by outcome, and median and p99 of the milliseconds of those that got 200."""
    good = [1e3 * sample.seconds for sample in samples if sample.outcome == "200"]
    middle, late = np.percentile(good, (50, 99)).round(1).tolist() if good else (None, None)
    return {
        "outcomes": dict(Counter(sample.outcome for sample in samples)),
        "p50_ms": middle,
        "p99_ms": late,
    }


@contextmanager
def searching(url: str, rate: float, how: How = "kept") -> Iterator[Samples]:
    """Search while the block runs, `rate` times a second, `how`.

    By connections that are "kept", or each by a "fresh" one; or by kept ones, and the "whole" answer is wanted.
    """
    samples = Samples()
    with tempfile.NamedTemporaryFile(prefix="attack-") as told:
        command = [sys.executable, "-m", "tests.attack.load", url, str(rate), how, told.name]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()  # it has begun
        try:
            yield samples
        finally:
            process.communicate()
            samples.found = [Sample(*row) for row in json.load(told)]


def searched() -> list[bytes]:
    """The pictures that are searched for: that of a search is at its number modulo PICTURES."""
    return pictures(PICTURES, seed=5)


async def _search_until(stop: asyncio.Event, url: str, rate: float, how: str) -> list[Sample]:
    client = Client(address_of(url), DEADLINE, keep=how != "fresh")
    requests = [search(picture) for picture in searched()]
    found: list[Sample] = []

    async def one(number: int, due: float) -> None:
        answer = await client.ask(requests[number % PICTURES], due)
        told = answer.body.decode() if how == "whole" else ""
        found.append(Sample(due, answer.seconds, answer.outcome, number, told))

    start = time.monotonic()
    print("begun", flush=True)
    async with asyncio.TaskGroup() as tasks:
        number = 0
        while not stop.is_set():
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.create_task(one(number, due))
            number += 1
    client.close()
    return found


async def _main(url: str, rate: float, how: str) -> list[Sample]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)  # until our starter lets go
    return await _search_until(stop, url, rate, how)


if __name__ == "__main__":
    rows = run(lambda: _main(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
    Path(sys.argv[4]).write_text(json.dumps([astuple(row) for row in rows]))
