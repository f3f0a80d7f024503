"""What there is to take: items that the API wrote, with their pictures, and queries that were sampled. No picture is read here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.codestore import CodeStore, Item, LabelNumbers
from services.codestore.sampled import Kept
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

_BATCH = 1_000
UNLABELLED: tuple[int, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A picture that may become an image of a data set.

    Attributes:
        id: that it has there: the item's, or of a query the digest.
        digest: sha256 of the picture's bytes, in hex.
        labels: of the taxonomy; none where it has none, None where one of its labels is not in the taxonomy.
        query: where it is a query, what was kept of it.
    """

    id: str
    digest: str
    labels: tuple[int, ...] | None
    query: Kept | None = None


class Labels(Protocol):
    """The labels in the taxonomy that is written, of an item."""

    def __call__(self, item: Item) -> tuple[int, ...] | None: ...


def labels_in(taxonomy: Taxonomy, numbers: LabelNumbers) -> Labels:
    """How an item's label numbers become labels of a taxonomy: by its versions in the collection, else by their paths."""
    known: dict[int, int | None] = {}
    try:
        column: Sequence[int] | None = numbers.labels(taxonomy.sha256).tolist()
    except TaxohashError:  # no version of the collection's
        column = None

    def label_of(number: int) -> int | None:
        if column is not None:
            return column[number] if column[number] >= 0 else None
        try:
            return taxonomy.label(numbers.path_of(number))
        except TaxohashError:
            return None

    def labels(item: Item) -> tuple[int, ...] | None:
        found = []
        for number in item.labels:
            if number not in known:
                known[number] = label_of(number)
            found.append(known[number])
        return None if None in found else tuple(sorted(label for label in found if label is not None))

    return labels


def of_items(store: CodeStore, collection: str, labels: Labels) -> tuple[list[Candidate], int]:
    """Items whose picture the API took, by their ids in order; and how many of the API's have none in the picture store."""
    found: dict[str, Candidate] = {}
    bare = set()
    for item in store.scan(collection):
        if item.origin == "api":
            if item.picture:
                found[item.id] = Candidate(item.id, item.picture, labels(item))
            else:
                bare.add(item.id)
    return [found[item_id] for item_id in sorted(found)], len(bare - found.keys())


def of_queries(kept: Sequence[Kept], corrected: Mapping[str, tuple[int, ...]]) -> list[Candidate]:
    """Sampled queries with the labels that a person gave them, each picture once, the oldest first."""
    first = {one.digest: one for one in reversed(kept)}
    return [
        Candidate(one.digest, one.digest, corrected.get(one.digest, UNLABELLED), one)
        for one in kept
        if first[one.digest] is one
    ]


def still(
    store: CodeStore, collection: str, labels: Labels, kept: Sequence[Kept], candidates: Sequence[Candidate]
) -> Iterator[bool]:
    """Of each candidate whether it is there by now, with the same picture and labels."""
    asked = {one.digest for one in kept}
    for first in range(0, len(candidates), _BATCH):
        batch = candidates[first : first + _BATCH]
        items = iter(store.items(collection, [one.id for one in batch if one.query is None]))
        for one in batch:
            if one.query is not None:
                yield one.digest in asked
                continue
            item = next(items)
            yield (
                item is not None
                and item.origin == "api"
                and (item.picture, labels(item))
                == (
                    one.digest,
                    one.labels,
                )
            )
