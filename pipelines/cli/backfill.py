"""`taxohash pipeline backfill`: encode what the live generations of a collection lack, once or for as long as it runs."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.runners.termination import Terminated, terminable
from services import settings
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import announce
from taxohash.runtime.terminal import printable

if TYPE_CHECKING:
    from services.codestore.hashers import Hashers

_MOST_RATE = 1e6
_DESCRIPTION = """Encode what the live generations of a collection lack, each by its own hasher: once, or with --follow for as
long as it runs. It can be killed at any time and goes on from there; of several runners one works, the others wait.

The code store is that of TAXOHASH_REDIS_URL, or the user's own. Pictures are read in the store that TAXOHASH_PICTURES
names, in the data set of --data, and at items' URIs below TAXOHASH_URI_PREFIXES. One that cannot be read or encoded is put into
quarantine with its reason until the item is given another, and nothing waits for it.
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "backfill", help="encode what live generations lack", description=_DESCRIPTION
    )
    parser.add_argument("--collection", default=settings.COLLECTION.of())
    parser.add_argument(
        "--generations",
        type=Path,
        help="folder in which generations lie under their ids (default: where services find them)",
    )
    parser.add_argument("--data", type=Path, help="data set in which items have their pictures")
    parser.add_argument("--rate", type=float, help="pictures a second at most")
    parser.add_argument(
        "--retry-quarantined", action="store_true", help="first, forget which pictures were bad"
    )
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--follow", action="store_true", help="go on looking for work, until Ctrl-C")
    act.add_argument(
        "--status", action="store_true", help="only say how far it is, and what is in quarantine"
    )
    act.add_argument("--pause", action="store_true", help="have all backfills of the collection wait")
    act.add_argument("--resume", action="store_true", help="have them go on")
    parser.add_argument("--json", action="store_true", help="with --status: JSON for scripts")


def run(given: argparse.Namespace) -> int:
    """Do it; the exit code: 0, or 1 where codes still lack that could have been had.

    Raises:
        TaxohashError: what is given cannot be, or a store does not answer as it should.
    """
    if given.rate is not None and not 0 < given.rate <= _MOST_RATE:  # not a number compares false
        raise TaxohashError(f"--rate is {given.rate:g}: give pictures a second, such as 5")
    if given.json and not given.status:
        raise TaxohashError("--json says how far it is: give --status with it")
    for act, wanted in ((_status, given.status), (_pause, given.pause), (_resume, given.resume)):
        if wanted:
            return act(given)
    try:
        with terminable():
            return _encode(given)
    except Terminated:  # what it held is let go of, and need not wait for the end of a lease
        return 0
    except KeyboardInterrupt:
        announce("stopped; the same command goes on from here")
        return 130


def _encode(given: argparse.Namespace) -> int:
    from pipelines.backfill.encode import Encoder
    from pipelines.backfill.follow import awaited, follow
    from services.codestore.own import code_store
    from services.codestore.pictures.sources import PictureSources

    sources = PictureSources.from_environment(data_set=_pictures(given.data))
    hashers = _hashers(given.generations)
    with awaited(code_store) if given.follow else code_store() as store:
        if given.retry_quarantined:
            dropped = sum(
                store.retry_quarantined(given.collection, known.ref.id)
                for known in store.generations(given.collection)
            )
            announce(f"{dropped:,} pictures are tried again")
        encoder = Encoder(store, given.collection, hashers.open, sources, rate=given.rate)
        if given.follow:
            follow(store, given.collection, encoder)
        done = encoder.step()
        left = sum(
            store.lack(given.collection, known.ref.id).waiting
            for known in store.generations(given.collection)
            if known.live and known.state != "building" and known.members > known.codes
        )
    announce(
        f"{done.coded:,} codes put, {done.overtaken:,} overtaken by writes, {done.quarantined:,} quarantined, {left:,} lacking"
    )
    return 1 if left else 0


def _status(given: argparse.Namespace) -> int:
    from pipelines.backfill.told import lines
    from services.codestore.backfill.status import status
    from services.codestore.cli.context import print_json
    from services.codestore.own import code_store

    with code_store() as store:
        found = status(store, given.collection)
    if given.json:
        print_json(found)
        return 0
    for line in lines(found):
        print(printable(line))
    return 0


def _pause(given: argparse.Namespace) -> int:
    from services.codestore.cli.context import who
    from services.codestore.own import code_store

    with code_store() as store:
        store.segments(given.collection)  # there is such a collection
        store.pause(given.collection, who())
    announce(f"backfills of collection {given.collection} wait until --resume")
    return 0


def _resume(given: argparse.Namespace) -> int:
    from services.codestore.own import code_store

    with code_store() as store:
        store.segments(given.collection)
        store.resume(given.collection)
    announce(f"backfills of collection {given.collection} go on")
    return 0


def _pictures(data: Path | None) -> Callable[[str], bytes | None]:
    """Those of a data set by the ids of its items."""
    if data is None:
        return lambda _item_id: None
    from pipelines.shared.data_pictures import DataPictures  # with pyarrow, which nobody else here needs
    from taxohash.datasets import Dataset

    return DataPictures(Dataset.open(data))


def _hashers(generations: Path | None) -> "Hashers":
    """Those of a folder, or where services find theirs."""
    from services.codestore.generation_files import GenerationFiles
    from services.codestore.hashers import Hashers, kept_in

    files = GenerationFiles.open(generations) if generations else GenerationFiles.named()
    if files is None:
        raise TaxohashError(
            f"it is not said where generations lie: give --generations FOLDER, or set {settings.GENERATIONS.name}"
        )
    return Hashers(None, files.address, kept_in(settings.CACHE.of()))
