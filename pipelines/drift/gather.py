"""What was asked and stored lately, as drift looks at it, out of picture store and code store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np
import numpy.typing as npt

from services.codestore import CodeStore
from services.codestore.labels import LabelNumbers
from services.codestore.records import HeldItem
from services.codestore.sampled import Facts, SampledQueries
from taxohash.codes import code_bytes
from taxohash.drift.sample import Sample
from taxohash.generation.hasher import Hasher
from taxohash.generation.reference import NOTHING
from taxohash.release.recall import Catalogue, canary_codes, recall
from taxohash.taxonomy import Taxonomy

_BATCH = 500  # items that are asked for at once


@dataclass(frozen=True)
class Gathered:
    """A sample, and what was left out of it.

    Attributes:
        counts: pictures by what became of them.
    """

    sample: Sample
    counts: dict[str, int]


def asked(queries: SampledQueries, hasher: Hasher, since: float, before: float, most: int) -> Gathered:
    """Different pictures that a generation was asked with in a time, the newest `most` of them.

    Each counts as many queries as it stands for. A picture that was asked again is looked at once, however often: else one
    visitor would be many. Left out is what another generation answered, and the very picture of an item, which held-out queries
    never are.
    """
    facts: list[Facts] = []
    looks = set[str]()
    counts = dict.fromkeys(
        ("looked at", "asked again", "another generation's", "an item's own picture", "gone"), 0
    )
    for one in reversed(queries.kept()):
        if not since <= one.when < before or len(facts) == most:
            continue
        if one.pixels in looks:
            counts["asked again"] += 1
            continue
        query = queries.read(one)
        if query is None:
            counts["gone"] += 1
        elif query.facts.generation != hasher.generation.id or not _fits(query.facts, hasher.bits):
            counts["another generation's"] += 1
        elif query.facts.identical:
            counts["an item's own picture"] += 1
        else:
            looks.add(one.pixels)
            facts.append(query.facts)
    counts["looked at"] = len(facts)
    return Gathered(_sample(facts, hasher), counts)


def stored(store: CodeStore, collection: str, hasher: Hasher, since: float, most: int) -> Gathered:
    """Different pictures that the API stored or changed since a time, the newest `most` of them."""
    found = [
        (item.updated, item.id)
        for item in store.scan(collection)
        if item.origin == "api" and item.updated >= since
    ]
    numbers = store.labels(collection).labels(hasher.generation.taxonomy_sha256)
    codes: list[npt.NDArray[np.uint8]] = []
    tops: list[int] = []
    looks = set[str]()
    counts = dict.fromkeys(("looked at", "stored again", "not encoded"), 0)
    newest = [item_id for _, item_id in nlargest(most, found)]
    for held in _held(store, collection, newest, hasher.generation.id):
        if held is None or not len(held.code):
            counts["not encoded"] += 1
        elif held.item.pixels and held.item.pixels in looks:
            counts["stored again"] += 1
        else:
            looks.add(held.item.pixels)
            codes.append(held.code)
            tops.append(_top(hasher.taxonomy, [int(numbers[number]) for number in held.item.labels]))
    counts["looked at"] = len(codes)
    top = np.array(tops, np.int32)
    packed = np.stack(codes) if codes else np.empty((0, code_bytes(hasher.bits)), np.uint8)
    return Gathered(Sample("items", packed, np.ones(len(packed)), top if (top >= 0).any() else None), counts)


def recall_now(store: CodeStore, collection: str, hasher: Hasher) -> npt.NDArray[np.float64] | None:
    """float64[Q, levels]: recall@10 of each canary of a generation among the items that it has in the store; None where it has none."""
    canaries = canary_codes(hasher)
    if canaries is None or not canaries.paths:
        return None
    snapshot = store.snapshot(collection, hasher.generation.id)
    held = Catalogue(
        snapshot.ids.tolist(),
        [snapshot.labels[row].tolist() for row in range(len(snapshot.ids))],
        _paths(store.labels(collection), hasher.taxonomy),
        snapshot.codes,
    )
    return recall(held, canaries, hasher.bits, hasher.taxonomy.depth)


def top_names(taxonomy: Taxonomy) -> list[str]:
    """Names of its top nodes, in the order of their numbers."""
    return [path[0] for path in taxonomy.class_paths(0)]


def _sample(facts: Sequence[Facts], hasher: Hasher) -> Sample:
    tops = {name: top for top, name in enumerate(top_names(hasher.taxonomy))}
    told = [tops.get(one.predicted[0].name, NOTHING) if one.predicted else NOTHING for one in facts]
    codes = b"".join(bytes.fromhex(one.code) for one in facts)
    return Sample(
        "queries",
        np.frombuffer(codes, np.uint8).reshape(len(facts), code_bytes(hasher.bits)),
        np.array([1 / one.share if one.share else 1.0 for one in facts], np.float64),
        np.array(told, np.int32) if all(one.predicted is not None for one in facts) else None,
        np.array([one.nearest for one in facts], np.int32),
        np.array([bool(one.unlike) for one in facts])
        if all(one.unlike is not None for one in facts)
        else None,
    )


def _fits(facts: Facts, bits: int) -> bool:
    """Whether a code is what a code of so many bits looks like: what lies in the picture store is anybody's who may write there."""
    try:
        return facts.bits == bits and len(bytes.fromhex(facts.code)) == code_bytes(bits)
    except ValueError:
        return False


def _held(
    store: CodeStore, collection: str, ids: Sequence[str], generation_id: str
) -> Iterator[HeldItem | None]:
    for first in range(0, len(ids), _BATCH):
        yield from store.held_items(collection, ids[first : first + _BATCH], generation_id)


def _top(taxonomy: Taxonomy, labels: Sequence[int]) -> int:
    """The top node of the first label, NOTHING where there is none that the taxonomy knows."""
    return int(taxonomy.ancestors[labels[0], 0]) if labels and labels[0] >= 0 else NOTHING


def _paths(numbers: LabelNumbers, taxonomy: Taxonomy) -> list[tuple[str, ...]]:
    """The path of each label number: the generation's own where it has one, else the newest."""
    labels = numbers.labels(taxonomy.sha256).tolist()
    return [
        taxonomy.paths[label] if label >= 0 else numbers.path_of(number)
        for number, label in enumerate(labels)
    ]
