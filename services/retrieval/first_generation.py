"""A generation's own codes become what a collection serves, where nothing is published yet: so `taxohash serve FOLDER` needs nothing else."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from services import settings
from services.codestore import CodeStore, GenerationRef, Item, data_version
from services.codestore.data_version import Batch, is_sealed
from services.codestore.generation_files import GenerationFiles
from services.codestore.taxonomies import numbers_of
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.runtime.terminal import printable

WHO = "taxohash serve"
_BATCH = 1000


def publish_first(
    store: CodeStore, collection: str, folder: Path, files: GenerationFiles | None = None
) -> str:
    """Publish the generation in a folder with its own codes, unless something is published; a line on what is served.

    Repeated, it changes nothing; after an interruption it goes on. The items have no pictures.

    Args:
        files: where services find their generations: it is put there too, so that it is served without its folder later.

    Raises:
        StoreUnavailableError: a store does not answer.
        TaxohashError: the folder holds no sound generation with codes and items; or the collection is one of another taxonomy.
    """
    hasher = Hasher(folder)
    generation = hasher.generation
    if published := store.published(collection) if store.exists(collection) else None:
        if published.id == generation.id:
            return f"collection {collection} serves generation {generation.id}"
        return (
            f"collection {collection} goes on with generation {published.id}, which is published there, not with {generation.id}:"
            f" publish that one, or serve another collection"
        )
    ids, labels, codes = hasher.ids, hasher.labels, hasher.codes
    numbers = numbers_of(store, collection, hasher.taxonomy, WHO)
    if files:
        files.put(folder)

    def batches() -> Iterator[Batch]:
        for first in range(0, len(codes), _BATCH):
            part = slice(first, first + _BATCH)
            rows = zip(ids[part], labels[part], strict=True)
            yield [Item(name, tuple(numbers[list(own)].tolist())) for name, own in rows], codes[part]

    if not is_sealed(store, collection, generation.id):
        ref = GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256)
        data_version.index(store, collection, ref, batches)
    store.publish(collection, generation.id, who=WHO, why="the first generation of the collection")
    return f"collection {collection} serves generation {generation.id} from now on, with its {len(codes):,} codes"


def main(environment: Mapping[str, str] = os.environ) -> int:
    """For the generation, store and collection that the environment names; says what is served, or what is wrong."""
    folder, url = settings.GENERATION.of(environment), settings.REDIS_URL.of(environment)
    assert folder
    assert url
    try:
        address = settings.GENERATIONS.of(environment)
        files = GenerationFiles.open(address) if address else None
        with CodeStore.connect(url) as store:
            said = publish_first(store, settings.COLLECTION.of(environment), Path(folder), files)
    except TaxohashError as error:
        print(f"serve: {printable(error)}", file=sys.stderr)
        return 2
    print(f"serve: {printable(said)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
