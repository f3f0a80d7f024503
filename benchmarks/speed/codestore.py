"""Time and memory of the code store on an embedded Valkey: python -m benchmarks.speed.codestore [--items N ...]; prints JSON."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable

import numpy as np
import redis

from services.codestore import CodeStore, EmbeddedServer, GenerationRef, Item
from taxohash.taxonomy import Taxonomy

BITS = 64
TAXONOMY = Taxonomy("bench", tuple((f"class {label // 5}", f"label {label}") for label in range(100)))


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """The shortest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(min(times), 4)


def measure(items: int) -> dict[str, float | int]:
    """One collection of `items` items without thumbnails, one generation of 64-bit codes."""
    ids = [f"train-{number}" for number in range(items)]
    codes = np.random.default_rng(0).integers(0, 256, (items, BITS // 8), np.uint8)
    ref = GenerationRef("bench", BITS, TAXONOMY.sha256)
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedServer(folder) as server,
        CodeStore.connect(server.url) as store,
        redis.Redis.from_url(server.url) as client,
    ):

        def bytes_of(pattern: str) -> int:
            return sum(
                client.memory_usage(key, samples=0) or 0 for key in client.scan_iter(pattern, count=1000)
            )

        store.create("bench", TAXONOMY)
        store.begin("bench", ref)
        catalog = [Item(item_id, (number % 100,)) for number, item_id in enumerate(ids)]
        put_items = seconds(lambda: store.put_items("bench", catalog))
        put_codes = seconds(lambda: store.put_codes("bench", "bench", ids, codes))
        all_bytes, code_bytes = bytes_of("*"), bytes_of("*:code*")
        one = codes[:1]
        return {
            "items": items,
            "put_items_s": put_items,
            "put_codes_s": put_codes,
            "publish_s": seconds(lambda: store.publish("bench", "bench")),
            "snapshot_s": seconds(lambda: store.snapshot("bench"), repeats=5),
            "put_one_code_ms": 1000
            * seconds(lambda: store.put_codes("bench", "bench", ids[:1], one), repeats=200),
            "catalog_bytes_per_item": round((all_bytes - code_bytes) / items, 1),
            "code_bytes_per_item": round(code_bytes / items, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[60_000, 1_000_000])
    arguments = parser.parse_args()
    print(json.dumps({"bits": BITS, "runs": [measure(items) for items in arguments.items]}, indent=1))


if __name__ == "__main__":
    main()
