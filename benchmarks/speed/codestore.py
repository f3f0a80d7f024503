"""Time and memory of the code store on an embedded Valkey; prints JSON.

python -m benchmarks.speed.codestore [--items 60000,1000000]
"""

import json
import tempfile
from typing import Annotated

import numpy as np
import redis
import typer

from benchmarks.common.command import numbers, start
from benchmarks.common.timing import shortest, timed
from services.codestore import CodeStore, EmbeddedServer, GenerationRef, Item
from taxohash.runtime.provenance import revision
from taxohash.taxonomy import Taxonomy

BITS = 64
TAXONOMY = Taxonomy("bench", tuple((f"class {label // 5}", f"label {label}") for label in range(100)))


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

        def put_code() -> None:
            store.put_codes("bench", "bench", ids[:1], codes[:1])

        put_items = timed(lambda: store.put_items("bench", catalog)).wall
        put_codes = timed(lambda: store.put_codes("bench", "bench", ids, codes)).wall
        all_bytes, code_bytes = bytes_of("*"), bytes_of("*:code*")
        return {
            "items": items,
            "put_items_s": round(put_items, 4),
            "put_codes_s": round(put_codes, 4),
            "publish_s": round(timed(lambda: store.publish("bench", "bench")).wall, 4),
            "snapshot_s": round(shortest([lambda: store.snapshot("bench")] * 5), 4),
            "put_one_code_ms": round(1000 * shortest([put_code] * 200), 3),
            "catalog_bytes_per_item": round((all_bytes - code_bytes) / items, 1),
            "code_bytes_per_item": round(code_bytes / items, 2),
        }


def main(
    items: Annotated[str, typer.Option(help="sizes of the collection, comma-separated")] = "60000,1000000",
) -> None:
    runs = [measure(count) for count in numbers(items)]
    print(json.dumps({"benchmark": "codestore", "bits": BITS, "runs": runs, **revision()}, indent=1))


if __name__ == "__main__":
    start(main)
