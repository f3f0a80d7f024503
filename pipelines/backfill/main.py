"""Encode what the live generations of a collection lack: once, or again and again with --every.

The code store is that of TAXOHASH_REDIS_URL, or the one among the user's data. Pictures are read in the store that
TAXOHASH_PICTURES names, in the data set of --data, and at items' URIs below TAXOHASH_URI_PREFIXES. It can be stopped at any time and
goes on where it was.
"""

import sys
import time
from pathlib import Path

from pipelines.backfill.encode import encode_lacking
from pipelines.shared.data_pictures import DataPictures
from services import settings
from services.codestore import StoreUnavailableError
from services.codestore.own import code_store
from services.codestore.pictures.sources import PictureSources
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.flags import Parser
from taxohash.runtime.progress import announce
from taxohash.runtime.terminal import printable


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python -m pipelines.backfill", description=__doc__)
    parser.add_argument("--collection", default=settings.COLLECTION.of())
    parser.add_argument(
        "--generations", type=Path, required=True, help="folder in which generations lie under their ids"
    )
    parser.add_argument("--data", type=Path, help="data set in which items have their pictures")
    parser.add_argument("--every", type=float, help="seconds from one look to the next, until Ctrl-C")
    given = parser.parse_args(arguments)
    try:
        if given.every is not None and not 0.1 <= given.every <= 86_400:
            raise TaxohashError(f"--every is {given.every:g}: give 0.1 to 86400 seconds")
        pictures = DataPictures(Dataset.open(given.data)) if given.data else lambda _item_id: None
        sources = PictureSources.from_environment(data_set=pictures)
        failed = _once(given.collection, given.generations, sources)
        while given.every is not None:
            time.sleep(given.every)
            try:
                failed = _once(given.collection, given.generations, sources)
            except StoreUnavailableError as error:  # it may come back
                announce(str(error))
    except TaxohashError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        announce("stopped; the same command goes on from here")
        return 130
    return 1 if failed else 0


def _once(collection: str, generations: Path, sources: PictureSources) -> int:
    """How many pictures could not be had or encoded."""
    with code_store() as store:
        done = encode_lacking(store, collection, generations, sources)
    if done.total:
        announce(
            f"{done.coded:,} codes put, {done.overtaken:,} overtaken by writes, {done.failed:,} passed over"
        )
    return done.failed
