"""Items are written by one client, beside plain SETs of the same bytes."""

from collections.abc import Callable

from benchmarks.common.rows import Row
from benchmarks.common.timing import interleaved
from benchmarks.speed.codestore.data import BATCH, Bench, Data, Spent, running, spent, summary


def measure(items: int, singles: int, rounds: int) -> list[Row]:
    """Rows of the ways to write, in microseconds an item; each round writes new ones.

    Args:
        items: of a round, written BATCH at a time.
        singles: of a round, written one at a time.
    """
    with running() as bench:
        bench.begin()
        ways: dict[tuple[str, int], tuple[Callable[[Data], None], int]] = {
            ("upsert", BATCH): (bench.upsert, items),
            ("fill", BATCH): (bench.fill, items),
            ("pipelined SET", BATCH): (lambda data: sets(bench, data), items),
            ("upsert", 1): (lambda data: bench.upsert(data, 1), singles),
            ("SET", 1): (lambda data: sets(bench, data, 1), singles),
        }

        def timed(letter: str, way: Callable[[Data], None], count: int) -> Callable[[int], list[Spent]]:
            def once(turn: int) -> list[Spent]:
                data = Data(count, f"{letter}{turn}", turn)
                assert len(data.items) == len(data.values)  # made before the clock runs
                return [spent(bench.client, lambda: way(data))]

            return once

        clocks = {
            name: timed(letter, *way) for letter, (name, way) in zip("abcde", ways.items(), strict=True)
        }
        times = interleaved(clocks, rounds)
    return [
        {"measure": "ingest", "way": name, "batch": size, "items": ways[name, size][1],
         **summary(found, ways[name, size][1])}
        for (name, size), found in times.items()
    ]  # fmt: skip


def sets(bench: Bench, data: Data, size: int = BATCH) -> None:
    """Code and label of each item by SET, so many in a pipeline; its key is the id."""
    for part in data.batches(size):
        with bench.client.pipeline(transaction=False) as pipe:
            for item_id, value in zip(data.ids[part], data.values[part], strict=True):
                pipe.set(item_id, value)
            pipe.execute()
