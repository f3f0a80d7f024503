"""From a hasher's draft and a data version to a generation: codes in shards, and what is built of them."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.shared.record import Record
from pipelines.shared.step import step
from services.codestore.generation_files import GenerationFiles
from taxohash.datasets import Dataset
from taxohash.datasets.splits import indexed_splits, listed
from taxohash.release.shards import Shard
from taxohash.runtime.progress import announce


@step("plan")
def plan(shards: int) -> list[str]:
    """The shards in which the data are encoded."""
    return [str(Shard(number, shards)) for number in range(1, Shard(1, shards).count + 1)]


@step("encode")
def encode(draft: str, data: str, splits: str, shard: str, out: str) -> None:
    """Encode a shard of the splits' images into a file; as `taxohash encode --shard` does."""
    from taxohash.cli.encode import encode_data

    encode_data(Path(draft), Path(data), listed(splits), Path(out), Shard.parse(shard))


@step("build")
def build(
    draft: str, codes: Sequence[str], data: str, splits: str, generations: str, work: str, run: str
) -> str:
    """Make a generation below `generations` of a draft and the codes of all shards; its id.

    It is signed where a key is given (TAXOHASH_SIGN_KEY), and put where services look for it (TAXOHASH_GENERATIONS), too.
    """
    from taxohash.release.build import build as make
    from taxohash.release.draft import Draft
    from taxohash.release.shards import joined
    from taxohash.release.signing import sign, signing_key

    key = signing_key()  # one that cannot be used is told before the work
    hasher, dataset = Draft.open(draft), Dataset.open(data)
    indexed = indexed_splits(dataset, listed(splits))
    rows = sum(dataset.count(split) for split in indexed)
    whole = joined([Path(file) for file in codes], rows, hasher.bits)
    folder = make(hasher, dataset, indexed, whole, Path(generations))
    if key is not None:
        sign(folder, key)
    place = str(folder)
    if files := GenerationFiles.named():
        files.put(folder)
        place = f"{files.address}/{folder.name}"
        announce(f"generation {folder.name} is in {files.address}")
    Record(work, run).note("generation", id=folder.name, place=place)
    return folder.name
