"""What `gc` does to the server: how long its longest step blocks others.

A step takes longer where the machine does something else meanwhile, so each round begins anew and the least of their
longest counts: a step that is too long is so in every round.
"""

from benchmarks.common.rows import Row
from benchmarks.common.timing import timed
from benchmarks.speed.codestore.data import COLLECTION, Data, running
from services.codestore import Item

_LOG = 1_000_000  # entries of the server's log of what it has done


def measure(items: int, rounds: int) -> list[Row]:
    """One row: a generation is dropped, and half of the items, which no other has; the records of the others are folded, and they
    are moved.
    """
    found = [_collect(Data(items)) for _ in range(rounds)]
    quietest = min(found, key=lambda row: float(row["longest_ms"]))
    return [{**quietest, "noisiest_ms": max(row["longest_ms"] for row in found)}]


def _collect(data: Data) -> Row:
    half = slice(0, data.count, 2)
    with running(options={"slowlog-log-slower-than": 0, "slowlog-max-len": _LOG}) as bench:
        bench.published(data, "first")
        kept = [Item(item.id, item.labels, uri=f"pictures/{item.id}") for item in data.items[half]]
        for name in ("second", "third"):
            bench.begin(name)
            bench.store.fill(COLLECTION, name, kept, data.codes[half])
            bench.publish(name)
        # The log of the fills is large: the allocator gives it back at the next call, which takes some 6 ms that are not gc's.
        bench.client.slowlog_reset()
        bench.store.history(COLLECTION)
        bench.client.slowlog_reset()
        collected = timed(lambda: bench.store.gc(COLLECTION))
        calls = [
            (entry["duration"] / 1e3, entry["command"].split()[1].decode().rpartition("_")[0])
            for entry in bench.client.slowlog_get(_LOG)
            if entry["command"].startswith(b"FCALL")
        ]
    assert collected.result.items == data.count - len(kept)
    longest = {name: max(spent for spent, own in calls if own == name) for _, name in calls}
    return {
        "measure": "gc", "items": data.count, "removed": collected.result.items, "moved": collected.result.moved,
        "seconds": collected.wall, "calls": len(calls), "longest_ms": max(longest.values()), "longest_of": longest,
    }  # fmt: skip
