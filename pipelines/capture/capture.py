"""Items of the API and labelled queries become a data set folder, whole or not at all."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.capture.candidates import Candidate, Labels, labels_in, of_items, of_queries, still
from pipelines.capture.corrections import Correction, matched
from pipelines.capture.known import Known
from pipelines.capture.parts import Parts, Picture
from services.codestore import CodeStore, StoreUnavailableError
from services.codestore.pictures import Pictures
from services.codestore.sampled import SampledQueries
from taxohash.datasets import Dataset
from taxohash.datasets.digests import pixel_digest
from taxohash.datasets.layout import names_a_split
from taxohash.datasets.writer import Row, write_split
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id, shown
from taxohash.runtime.alone import alone
from taxohash.runtime.atomic import drafting, place, vacant, writable
from taxohash.runtime.progress import track
from taxohash.taxonomy import Taxonomy

SHARD_BYTES = 512 << 20  # of encoded images in one file of a split
_AT_ONCE = 8  # pictures that are fetched side by side

NO_PICTURE = "have no picture in the picture store"
NO_LABEL = "have no label"
UNKNOWN_LABEL = "have a label that the taxonomy does not"
SEVERAL = "have several labels, the split one an image (--several keeps them)"
NO_ID = "have an id that cannot be a path"
IN_DATA = "are in the data set already"
OTHER_PICTURE = "have the id of another picture in the data set"
TWICE = "show what another one shows"
TWICE_UNLIKE = "show what another one shows, under another label"
UNUSABLE = "have a picture that cannot be read"
GONE = "were deleted or changed meanwhile"
NO_QUERY = "corrections name no query that is kept"


@dataclass(frozen=True)
class Wanted:
    """What a captured data set is to be.

    Attributes:
        taxonomy: of its labels.
        split: of what has labels.
        unlabelled: split of what has none; that is left out if it is empty.
        several: whether an image has a set of labels.
        beside: the data set that it is to join.
    """

    taxonomy: Taxonomy
    split: str = "train"
    unlabelled: str = ""
    several: bool = False
    beside: Dataset | None = None


@dataclass
class Captured:
    """What was written.

    Attributes:
        images: of each split; none where there was nothing to write, and then there is no folder.
        items, queries: how many of them are of the API, and were searched for.
        left: why others were left out, and how many.
        examples: the first of each of these.
    """

    images: dict[str, int] = field(default_factory=dict)
    items: int = 0
    queries: int = 0
    left: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def leave(self, why: str, example: str, count: int = 1) -> None:
        """Count what is left out."""
        if count:
            self.left[why] = self.left.get(why, 0) + count
            self.examples.setdefault(why, example)


def wanted_of(
    taxonomy: Taxonomy, split: str, unlabelled: str, several: bool, beside: Dataset | None
) -> Wanted:
    """What is asked for, if it can be.

    Raises:
        TaxohashError: a split has no name that can be, or is labelled in another way in the data set that is to be joined.
    """
    for name in filter(None, (split, unlabelled)):
        if not names_a_split(name):
            raise TaxohashError(f"{name!r} is no name of a split: use letters, digits, '.', '_' or '-'")
    if split == unlabelled:
        raise TaxohashError(f"split {split!r} cannot be labelled and unlabelled: name another one")
    if beside is not None and split in beside.splits:
        column = beside.label_column(split)
        if column is None or (several and column == "label"):
            has = "no labels" if column is None else "one label an image"
            raise TaxohashError(f"split {split} of {beside.folder} has {has}: name another split")
        several = column == "labels"
    if beside is not None and unlabelled in beside.splits and beside.label_column(unlabelled):
        raise TaxohashError(
            f"split {unlabelled} of {beside.folder} has labels: name another one for what has none"
        )
    return Wanted(taxonomy, split, unlabelled, several, beside)


def capture(
    store: CodeStore,
    collection: str,
    pictures: Pictures,
    queries: SampledQueries,
    corrections: Sequence[Correction],
    wanted: Wanted,
    out: Path,
) -> Captured:
    """Write a data set folder of what the API put and people asked for; progress is shown.

    What was deleted by the time that the folder gets its name is not in it. Interrupted, it leaves the pictures that it has
    fetched beside `out`, in `.NAME.capture`, and goes on with them when it is called again.

    Raises:
        StoreUnavailableError: a store does not answer as it should.
        TaxohashError: `out` exists, or cannot be written; or a correction is none.
    """
    vacant(out)
    work = writable(out.parent / f".{out.name}.capture")
    with alone(work / ".lock", f"another process captures {out}: waiting for it"):
        vacant(out)
        found = _captured(store, collection, pictures, queries, corrections, wanted, out, work)
        shutil.rmtree(work, ignore_errors=True)
    return found


def _captured(
    store: CodeStore,
    collection: str,
    pictures: Pictures,
    queries: SampledQueries,
    corrections: Sequence[Correction],
    wanted: Wanted,
    out: Path,
    work: Path,
) -> Captured:
    found = Captured()
    labels = labels_in(wanted.taxonomy, store.labels(collection))
    kept = queries.kept()
    corrected, stray = matched(corrections, kept)
    for one in stray:
        found.leave(NO_QUERY, one.where)
    items, bare = of_items(store, collection, labels)
    found.leave(NO_PICTURE, "", bare)
    chosen = [one for one in (*items, *of_queries(kept, corrected)) if _is_wanted(one, wanted, found)]
    known = Known.of(wanted.beside) if wanted.beside and chosen else Known()
    chosen = [one for one in chosen if not _is_known(one, known, found)]
    parts = Parts(work)
    _fetch(chosen, parts, pictures, queries)
    chosen = list(_once(chosen, parts.pixels, known, found))
    there = _still(store, collection, labels, queries, chosen, found)
    while there:
        with drafting(out.parent) as draft:
            written = _write(draft, wanted, there, parts)
            remaining = _still(store, collection, labels, queries, there, found)
            if len(remaining) == len(there):
                place(draft, out)
                found.images = written
                break
        there = remaining
    found.queries = sum(one.query is not None for one in there)
    found.items = len(there) - found.queries
    return found


def _is_wanted(one: Candidate, wanted: Wanted, found: Captured) -> bool:
    why = ""
    if one.labels is None:
        why = UNKNOWN_LABEL
    elif not one.labels and not wanted.unlabelled:
        why = NO_LABEL
    elif len(one.labels) > 1 and not wanted.several:
        why = SEVERAL
    elif not _is_id(one.id):
        why = NO_ID
    found.leave(why, one.id, bool(why))
    return not why


def _is_id(text: str) -> bool:
    try:
        check_id(text)
    except TaxohashError:
        return False
    return True


def _is_known(one: Candidate, known: Known, found: Captured) -> bool:
    why = ""
    if one.digest in known.looks:
        why = IN_DATA
    elif one.id in known.digests:
        why = OTHER_PICTURE
    found.leave(why, one.id, bool(why))
    return bool(why)


def _fetch(chosen: Sequence[Candidate], parts: Parts, pictures: Pictures, queries: SampledQueries) -> None:
    """Have the picture of each candidate in a part, where it can be had."""
    lacking = list({one.digest: one for one in chosen if one.digest not in parts.pixels}.values())

    def picture(one: Candidate) -> Picture | None:
        try:
            if one.query is None:
                data = pictures.get(one.digest)
            elif (query := queries.read(one.query)) is not None:
                data = query.picture
            else:
                return None
            return Picture(one.digest, pixel_digest(data).hex(), data)
        except StoreUnavailableError:
            raise
        except TaxohashError:  # missing, damaged, or no picture
            return None

    parts.add(filter(None, track(_side_by_side(picture, lacking), len(lacking), "reading pictures")))


def _side_by_side(
    work: Callable[[Candidate], Picture | None], candidates: Sequence[Candidate]
) -> Iterator[Picture | None]:
    """The results in order, a few in memory at once."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for first in range(0, len(candidates), _AT_ONCE):
            yield from threads.map(work, candidates[first : first + _AT_ONCE])


def _once(
    chosen: Iterable[Candidate], pixels: Mapping[str, str], known: Known, found: Captured
) -> Iterator[Candidate]:
    """The first of those that show the same, and not what the data set shows; those whose picture cannot be had are left out."""
    shown_by: dict[str, Candidate] = {}
    for one in chosen:
        look = pixels.get(one.digest)
        if look is None:
            found.leave(UNUSABLE, one.id)
        elif look in known.looks:
            found.leave(IN_DATA, one.id)
        elif look in shown_by:
            found.leave(TWICE if one.labels == shown_by[look].labels else TWICE_UNLIKE, one.id)
        else:
            shown_by[look] = one
            yield one


def _still(
    store: CodeStore,
    collection: str,
    labels: Labels,
    queries: SampledQueries,
    candidates: Sequence[Candidate],
    found: Captured,
) -> list[Candidate]:
    """Those that are as they were."""
    there = list(still(store, collection, labels, queries.kept(), candidates))
    for one, is_there in zip(candidates, there, strict=True):
        found.leave(GONE, one.id, not is_there)
    return [one for one, is_there in zip(candidates, there, strict=True) if is_there]


def _write(draft: Path, wanted: Wanted, chosen: Sequence[Candidate], parts: Parts) -> dict[str, int]:
    """All files of the folder; images of each split."""
    if wanted.beside is not None:
        shutil.copyfile(wanted.beside.folder / "taxonomy.json", draft / "taxonomy.json")
    else:
        wanted.taxonomy.save(draft / "taxonomy.json")
    images = {}
    for split, is_labelled in ((wanted.split, True), (wanted.unlabelled, False)):
        own = {one.digest: one for one in chosen if bool(one.labels) == is_labelled}
        if own:
            images[split] = len(own)
            _write_shards(draft, split, _rows(parts, own, wanted.several, is_labelled))
    return images


def _rows(parts: Parts, chosen: Mapping[str, Candidate], several: bool, is_labelled: bool) -> Iterator[Row]:
    for digest, data in track(parts.pictures(), len(parts.pixels), "writing"):
        if (one := chosen.get(digest)) is not None:
            labels = one.labels or ()
            yield Row(data, one.id, (labels if several else labels[0]) if is_labelled else None)


def _write_shards(draft: Path, split: str, rows: Iterator[Row]) -> None:
    files: list[Path] = []
    ahead = next(rows, None)

    def shard() -> Iterator[Row]:
        nonlocal ahead
        size = 0
        while ahead is not None and size < SHARD_BYTES:
            row, ahead = ahead, next(rows, None)
            size += len(row.image)
            yield row

    while ahead is not None:
        files.append(draft / f"shard-{len(files)}")
        write_split(files[-1], shard())
    for number, file in enumerate(files):
        name = f"{split}.parquet" if len(files) == 1 else f"{split}-{number:05d}-of-{len(files):05d}.parquet"
        file.rename(draft / name)


def told(found: Captured) -> Iterator[str]:
    """What was left out, a line each."""
    for why, count in found.left.items():
        example = found.examples[why]
        yield f"left out: {count:,} {why}" + (f": {shown(example)}" if example else "")
