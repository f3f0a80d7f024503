"""`taxohash data capture`: what the API was given, and what was asked and labelled since, as images of the next data version.

Items that the API put, with their picture and labels, and sampled queries to which a person has given labels become a data set
folder of the layout that all sets have; an item's id is the path of its image, and a query's is the digest of its picture. Tags are
no labels. `taxohash data join OUT DATA` puts it into the data set.

The code store is that of TAXOHASH_REDIS_URL, or the user's own; pictures and sampled queries lie where TAXOHASH_PICTURES says.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.runners.termination import terminable
from services import settings
from services.codestore import CodeStore
from taxohash.errors import TaxohashError
from taxohash.runtime.flags import Parser
from taxohash.runtime.requirements import remedy
from taxohash.runtime.terminal import printable
from taxohash.taxonomy import Taxonomy

PROG = "taxohash data capture"


def main(words: Sequence[str] | None = None) -> int:
    """Run the command with the words after `taxohash data capture`; 0, 2 where something has to be put right, 130 interrupted."""
    given = _parser().parse_args(words)
    try:
        with terminable():
            return _capture(given)
    except TaxohashError as error:
        print(f"{PROG}: {printable(error)}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if (text := remedy(error)) is None:
            raise
        print(f"{PROG}: {text}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{PROG}: interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 2


def _parser() -> Parser:
    parser = Parser(prog=PROG, description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="DATA",
        help="data set that it is to join: its labels are taken, and of pictures that it has nothing is written",
    )
    parser.add_argument(
        "--generation", help="without --beside, whose labels are taken (default: the published one's)"
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="labels of sampled queries: CSV, `name or digest,path[,path...]`, or JSON lines",
    )
    parser.add_argument("--split", default="train", help="of what has labels (default: train)")
    parser.add_argument(
        "--unlabelled", default="", metavar="SPLIT", help="of what has none (default: it is left out)"
    )
    parser.add_argument("--several", action="store_true", help="an image may have several labels")
    parser.add_argument("--collection", default=settings.COLLECTION.of(), help="of the code store")
    parser.add_argument("--json", action="store_true", help="print what came of it as JSON")
    return parser


def _capture(given: Any) -> int:
    from pipelines.capture.capture import capture, told, wanted_of  # pyarrow, and slow
    from pipelines.capture.corrections import read_corrections
    from services.codestore.own import code_store
    from services.codestore.pictures import Pictures
    from services.codestore.sampled import SampledQueries
    from taxohash.datasets import Dataset

    if given.beside is not None and given.generation:
        raise TaxohashError("--beside and --generation name labels both: give one of the two")
    beside = Dataset.open(given.beside) if given.beside is not None else None
    with code_store() as store:
        taxonomy = beside.taxonomy if beside else _taxonomy(store, given.collection, given.generation)
        wanted = wanted_of(taxonomy, given.split, given.unlabelled, given.several, beside)
        corrections = read_corrections(given.corrections, taxonomy) if given.corrections else []
        found = capture(
            store,
            given.collection,
            Pictures.from_environment(),
            SampledQueries.from_environment(given.collection),
            corrections,
            wanted,
            given.out,
        )
    md5 = Dataset.open(given.out).md5() if found.images else ""
    if given.json:
        print(json.dumps({"folder": str(given.out) if md5 else "", "md5": md5, **asdict(found)}))
        return 0
    for line in told(found):
        print(printable(line))
    if not md5:
        print(printable(f"nothing is left to capture: {given.out} is not written"))
        return 0
    counts = ", ".join(f"{count:,} {split}" for split, count in found.images.items())
    whence = f"{found.items:,} items and {found.queries:,} queries"
    print(printable(f"{given.out}: {counts}, of {whence}, md5 {md5}"))
    return 0


def _taxonomy(store: CodeStore, collection: str, generation: str | None) -> Taxonomy:
    """That of a generation, the published one if none is named.

    Raises:
        TaxohashError: there is no such generation, or none is published.
    """
    refs = {state.ref.id: state.ref for state in store.generations(collection)}
    published = store.published(collection)
    if generation is None and published is None:
        raise TaxohashError(
            f"collection {collection!r} has nothing published: give --beside DATA, or --generation, whose labels are taken"
        )
    ref = published if generation is None else refs.get(generation)
    if ref is None:
        raise TaxohashError(
            f"collection {collection!r} has no generation {generation!r}: choose from {', '.join(refs) or 'none'}"
        )
    labels = store.labels(collection)
    return labels.taxonomies[labels.version_of(ref.taxonomy_sha256) - 1]


if __name__ == "__main__":
    sys.exit(main())
