"""One generation, whole: its hasher, and its items as they are now. From a picture, an item or a code to the nearest items."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from services.codestore import ItemLabels, fingerprint
from services.codestore.follower.replica import Replica
from services.codestore.follower.view import Found, View
from services.retrieval import mapped
from services.retrieval.grouping import grouped, level_of
from services.retrieval.health import Health
from services.retrieval.identical import MOST_LIKE
from services.retrieval.item_ids import link
from services.retrieval.labels import said
from services.retrieval.schemas.search import RANKINGS, Wishes
from services.retrieval.stages import Stages
from services.retrieval.trust import Trust
from services.web.refused import RefusedError
from taxohash.codes import Codes, Queries, code_bytes, unpack
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.identifiers import shown
from taxohash.images import Pixels
from taxohash.runtime.configuration import plain
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.agreement import agreed_levels, majority_path

_SUMMARY_SECONDS = 5.0  # what is told of all items together may be so old
_EXAMPLES = 24
_AN = {"item": "an item", "code": "a code"}


@dataclass(frozen=True, eq=False)
class Query:
    """What is searched for.

    Attributes:
        kind: what it was made of.
        code: uint8[1, ceil(bits/8)].
        view: what is searched: the items as they were when it was made.
        outputs: of a picture: code and weights.
        item: of an item: its id.
        row: of an item: where it is; -1 else.
        stages: how long it took to make it.
    """

    kind: Literal["picture", "item", "code"]
    code: Codes
    view: View
    outputs: Queries | None = None
    item: str | None = None
    row: int = -1
    stages: Stages = field(default_factory=Stages)


@dataclass(frozen=True)
class _Summary:
    """Of all items together."""

    made: float
    nodes: dict[tuple[str, ...], int]
    unsaid: int
    examples: list[dict[str, Any]]


class Engine:
    """Hasher and items of one generation. Safe to call from several threads; the replica is kept level by a follower."""

    def __init__(
        self, hasher: Hasher, replica: Replica, known: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]
    ) -> None:
        """Join a hasher and the items that its codes are of.

        Args:
            known: int32[numbers], the label of the hasher's taxonomy of each label number, -1 where there is none.
            numbers: int32[labels], the number of each label of it.
        """
        self.generation = hasher.generation
        self.id = hasher.generation.id  # which is a digest of all that a manifest says
        self.taxonomy = hasher.taxonomy
        self.replica = replica
        self.numbers = numbers
        self.health = Health(hasher)
        self._hasher = hasher
        self._trust = Trust.of(hasher)
        self._known = known
        self._paths = {  # by label number; answers share them
            number: list(self.taxonomy.paths[label])
            for number, label in enumerate(known.tolist())
            if label >= 0
        }
        self._summary: _Summary | None = None
        self._summing = threading.Lock()

    def __len__(self) -> int:
        """Number of items that can be found."""
        return len(self.replica)

    def encode(self, pixels: Pixels, stages: Stages) -> Queries:
        """The code and the weights of a picture, uint8[C, H, W] as the hasher's preprocessing gives it.

        Raises:
            RefusedError: 503 for a hasher whose outputs are not finite.
        """
        with stages.timed("encode"):
            try:
                return self._hasher.encode_query_pixels(pixels[None])
            except TaxohashError as error:  # not the picture is to blame, but what was published
                raise RefusedError(503, "hasher", str(error)) from None

    def of_picture(self, pixels: Pixels, stages: Stages | None = None) -> Query:
        """What a picture searches for.

        Args:
            pixels: uint8[C, H, W], what the hasher's preprocessing gives.

        Raises:
            RefusedError: see `encode`.
        """
        stages = stages or Stages()
        outputs = self.encode(pixels, stages)
        return Query("picture", outputs.codes, self.replica.view(), outputs, stages=stages)

    def of_item(self, item_id: str) -> Query:
        """What is like an item, by its stored code.

        Raises:
            RefusedError: 404, there is no such item, or it has no code in this generation.
        """
        view, row = self.replica.located(item_id)
        if row < 0:
            raise RefusedError(404, "item", f"there is no item {shown(item_id)}: use an id from a search")
        try:
            code = view.codes_of(np.array([row]))
        except TaxohashError:
            raise RefusedError(
                404,
                "item",
                f"item {shown(item_id)} has no code in generation {self.id} yet: wait for the backfill",
            ) from None
        return Query("item", code, view, item=item_id, row=row)

    def of_code(self, digits: str) -> Query:
        """What is like a code in hexadecimal digits.

        Raises:
            RefusedError: 400, it is none of this generation's length.
        """
        bits = self.generation.bits
        size = code_bytes(bits)
        try:
            code = np.frombuffer(bytes.fromhex(digits), np.uint8)[None]
            if not len(digits) == 2 * code.size == 2 * size or (bits % 8 and code[0, -1] & 0xFF >> bits % 8):
                raise ValueError
        except ValueError:
            raise RefusedError(
                400,
                "parameter",
                f"code {shown(digits)} is none of {bits} bits: give {2 * size} hexadecimal digits, the bits beyond {bits} zero",
            ) from None
        return Query("code", code, self.replica.view())

    def alike(self, query: Query, wishes: Wishes, pixels: str) -> dict[str, int]:
        """Items with the query's code whose pictures may have its pixels, of those that the filters allow, and their rows; no more than
        `identical.MOST_LIKE`.

        Args:
            pixels: the hash of the query's, see `taxohash.images.pixel_hash`.
        """
        view = query.view
        rows = view.with_code(query.code, fingerprint(pixels), MOST_LIKE, self._nodes(wishes), wishes.names)
        return dict(zip(view.ids_of(rows), rows.tolist(), strict=True))

    def search(self, query: Query, wishes: Wishes, identical: Sequence[int] = ()) -> dict[str, Any]:
        """The answer to one query, as it goes to the client, see `schemas.search.Answer`.

        An item's `distance` is the number of bits in which its code differs from the query's. By weights items are in
        the order of their `weighted_distance` instead: of the weights that the picture gives all bits, the share that
        lies on the bits in which an item's code differs; 0 to 1. Within a radius, which is one of Hamming distance, only the
        `k` of the least Hamming distance are told, also where they are in the order of their weights. An item that is the
        query is no answer.

        Args:
            identical: rows of items of `alike` that have the very picture: they come first, and are marked.

        Raises:
            RefusedError: 400 for an unknown node, tag or level, or weights asked of what has none.
        """
        started, stages = time.perf_counter(), query.stages
        weights = self._weights(query, wishes)
        level = level_of(self.taxonomy, wishes.group_by) if wishes.group_by else -1
        with stages.timed("search"):
            try:
                found, cut = self._nearest(query, wishes, weights)
                if identical:
                    found = found.behind(query.view.equal(np.sort(identical), weights is not None))
                    found = found.kept(np.arange(min(wishes.k, len(found.rows))))
            except TaxohashError as error:
                raise RefusedError(400, "parameter", str(error)) from None
        with stages.timed("describe"):
            results = self._results(query, found)
            for result in results[: len(identical)]:
                result["identical"] = True
            majority = majority_path([result["label_paths"] for result in results])
            for result in results:
                result["levels_agreed"] = agreed_levels(result["label_paths"], majority)
            answer: dict[str, Any] = {
                "generation": self.id,
                "bits": self.generation.bits,
                "code": query.code[0].tobytes().hex(),
                **self._trusted(query, wishes, weights, results),
                "query": {"kind": query.kind} | ({"id": query.item} if query.item else {}),
                "within": wishes.within,
                "ranking": "hamming" if weights is None else "weighted",
                "majority": [{"name": name, "items": items} for name, items in majority],
                "results": results,
            }
            if wishes.radius is not None:
                answer |= {"radius": wishes.radius, "cut": cut}
            if level >= 0:
                answer["groups"] = grouped(results, level)
        if wishes.explain:
            answer["explanation"] = self._explained(query, wishes, found, results)
        seconds = time.perf_counter() - started + stages.seconds.get("encode", 0.0)
        answer["took_ms"] = round(1000 * seconds, 3)
        return answer

    def describe_code(self, outputs: Queries, weights: bool) -> dict[str, Any]:
        """The code of a picture, and what its bits weigh where that is wanted."""
        told: dict[str, Any] = {
            "generation": self.id,
            "bits": self.generation.bits,
            "code": outputs.codes[0].tobytes().hex(),
        }
        return told | ({"weights": [round(one, 6) for one in outputs.weights[0].tolist()]} if weights else {})

    def nearest(self, code: str) -> int:
        """The least Hamming distance of an item to a code in hex, as an answer has it; the bits of a code where there is no item."""
        found = self.replica.view().least(np.frombuffer(bytes.fromhex(code), np.uint8)[None])
        return self.generation.bits if found is None else found

    def near(self, code: Codes, count: int) -> tuple[npt.NDArray[np.int32], ItemLabels]:
        """The Hamming distances int32[n] of a code uint8[1, ceil(bits/8)] to so many nearest items, and to all others as near as the
        last of these; and their labels in the taxonomy."""
        view = self.replica.view()
        distances, rows = view.nearest(code, count)
        return distances, said(view.labels_of(rows), self._known)[0]

    def some_codes(self, most: int) -> Codes:
        """uint8[n, ceil(bits/8)]: the codes of all items, or of so many of them."""
        return self.replica.view().some_codes(most)

    @property
    def changes(self) -> int:
        """Made to its items until now."""
        return self.replica.view().changes

    def _weights(self, query: Query, wishes: Wishes) -> npt.NDArray[np.float32] | None:
        """What the bits of a query weigh, if it is to be ranked so."""
        if query.outputs is None:
            if wishes.ranking == "weighted":
                raise RefusedError(
                    400,
                    "parameter",
                    f"only a picture has weights, and this is {_AN[query.kind]}: leave ranking out, or give hamming",
                )
            return None
        return None if wishes.ranking == "hamming" else query.outputs.weights

    def _nearest(
        self, query: Query, wishes: Wishes, weights: npt.NDArray[np.float32] | None
    ) -> tuple[Found, bool]:
        """The items that are told, and whether there are more within the radius."""
        nodes = self._nodes(wishes)
        more = wishes.k + (query.row >= 0)  # the item itself may be among them
        if wishes.radius is None:
            found = query.view.search(query.code, k=more, within=nodes, tags=wishes.names, weights=weights)
            return found.kept(_without(found, query.row)[: wishes.k]), False
        found = query.view.search(
            query.code, radius=wishes.radius, within=nodes, tags=wishes.names, weights=weights, most=more + 1
        )
        kept = _without(found, query.row)
        nearest = kept[np.lexsort((found.rows[kept], found.distances[kept]))[: wishes.k]]
        return found.kept(np.sort(nearest)), len(kept) > wishes.k

    def _nodes(self, wishes: Wishes) -> list[str]:
        """The nodes below which items are looked for.

        Raises:
            TaxohashError: one is no path at all.
        """
        return [_node(self.taxonomy, node) for node in wishes.nodes]

    def _results(self, query: Query, found: Found) -> list[dict[str, Any]]:
        results = self._described(found.ids, found.labels)
        for result, distance, own in zip(results, found.distances.tolist(), found.tags, strict=True):
            result["distance"] = distance
            result["tags"] = list(own)
        if found.weighted is not None and query.outputs is not None:
            shares = query.outputs.shares(found.weighted[None])
            for result, share in zip(results, shares[0].tolist(), strict=True):
                result["weighted_distance"] = share
        return results

    def _trusted(
        self,
        query: Query,
        wishes: Wishes,
        weights: npt.NDArray[np.float32] | None,
        results: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """What the answer says of the query itself, and `probabilities` in each of the results; nothing where it was not measured."""
        if (trust := self._trust) is None:
            return {}
        ranking: Literal["hamming", "weighted"] = "hamming" if weights is None else "weighted"
        for result, own in zip(results, trust.probabilities(ranking, results), strict=True):
            result["probabilities"] = own
        nearest = results[: trust.nearest]
        if wishes.within or wishes.tags or wishes.radius is not None or wishes.k < trust.nearest:
            found = query.view.search(query.code, k=trust.nearest + (query.row >= 0), weights=weights)
            nearest = self._results(query, found.kept(_without(found, query.row)[: trust.nearest]))
        return trust.of_query(ranking, nearest, query.outputs)

    def _explained(
        self, query: Query, wishes: Wishes, found: Found, results: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """How an answer came about; what differs is said of each result."""
        searched = query.view.touched
        bits = unpack(query.view.codes_of(found.rows) ^ query.code, self.generation.bits)
        for result, own in zip(results, bits, strict=True):
            result["differing_bits"] = np.flatnonzero(own).tolist()
        return {
            "layout": searched.get("path"),
            "touched": searched.get("touched", 0),
            "histogram": query.view.histogram(query.code, self._nodes(wishes), wishes.names).tolist(),
            "timings_ms": query.stages.in_ms(),
        }

    def describe_taxonomy(self) -> dict[str, Any]:
        """The label tree with the number of items under every node, parents before children."""
        return {
            "name": self.taxonomy.name,
            "levels": list(self.taxonomy.levels),
            "source": self.taxonomy.source,
            "licence": self.taxonomy.licence,
            "nodes": [{"path": list(path), "items": count} for path, count in self._summed().nodes.items()],
        }

    def examples(self) -> dict[str, Any]:
        """One item of every label, or any items where none has a label, at most 24, to start from."""
        return {"items": self._summed().examples}

    def describe_map(self) -> dict[str, Any]:
        """How codes are placed on the map, and some of the items there, see `schemas.describe.MapTold`.

        Raises:
            RefusedError: 404, the generation was made without a map.
        """
        projection = self._hasher.projection
        if projection is None:
            raise RefusedError(
                404,
                "map",
                f"generation {self.id} was made without a map of its codes: evaluate its run again, and export it",
            )
        view = self.replica.view()
        sets, rows, own = view.labelled()
        classes = mapped.tops(self.taxonomy, said(sets, self._known)[0])
        chosen = rows[mapped.spread(classes[own], mapped.MOST)]
        described = self._described(view.ids_of(chosen), view.labels_of(chosen))
        return {
            "generation": self.id,
            "bits": self.generation.bits,
            "projection": plain(projection),
            "items": len(view),
            "sample": mapped.told(described, projection.places(view.codes_of(chosen))),
        }

    def describe_generation(self) -> dict[str, Any]:
        """What is served."""
        generation = self.generation
        return {
            "id": generation.id,
            "bits": generation.bits,
            "codes": len(self),
            "without_code": self.replica.uncoded,
            "items_with_unknown_labels": self._summed().unsaid,
            "database": generation.database,
            "objective": generation.objective,
            "network": generation.network,
            "taxonomy_sha256": generation.taxonomy_sha256,
            "dataset_md5": generation.dataset_md5,
            "evaluation": generation.evaluation,
            "bit_health": generation.bit_health,
        }

    def describe_items(self, ids: list[str], numbers: ItemLabels) -> list[dict[str, Any]]:
        """Items as they stand in answers, from their ids and label numbers."""
        return self._described(ids, numbers)

    def describe_numbers(self) -> dict[str, Any]:
        """What is served in numbers, as far as it is known here."""
        numbers = self.replica.stats()
        index = numbers["index"]
        return {
            "generation": self.id,
            "items": numbers["items"] + numbers["uncoded"],
            "coded": numbers["items"],
            "lacking": numbers["uncoded"],
            "index": {"layout": index["layout"], "bytes": index["bytes"], "codes": index["live"]},
            "bytes": numbers["bytes"],
        }

    def warm_up(self) -> None:
        """Pay for first calls (compiled kernels, memory) before the first request has to."""
        blank = np.zeros(self.generation.preprocessing.shape, np.uint8)
        for within in (None, "/".join(self.taxonomy.paths[0])):
            for ranking in RANKINGS:
                self.search(self.of_picture(blank), Wishes(within=within, ranking=ranking, explain=True))
        self._summed()

    def _summed(self) -> _Summary:
        with self._summing:
            if self._summary is None or time.monotonic() > self._summary.made + _SUMMARY_SECONDS:
                self._summary = self._sum(self.replica.view())
            return self._summary

    def _sum(self, view: View) -> _Summary:
        sets, counts, rows = view.label_sets()
        labels, lost = said(sets, self._known)
        nodes = items_by_node(self.taxonomy, labels, counts)
        firsts = rows[labels.owners[np.unique(labels.flat, return_index=True)[1]]]
        chosen = np.array(list(dict.fromkeys(firsts.tolist())) or rows.tolist(), np.int64)
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), _EXAMPLES)).astype(int)]
        examples = self._described(view.ids_of(chosen), view.labels_of(chosen))
        return _Summary(time.monotonic(), nodes, int(counts[lost].sum()), examples)

    def _described(self, ids: list[str], numbers: ItemLabels) -> list[dict[str, Any]]:
        flat, limits, known = numbers.flat.tolist(), numbers.offsets.tolist(), self._paths
        return [
            self._item(item, [known[number] for number in flat[start:stop] if number in known])
            for item, (start, stop) in zip(ids, pairwise(limits), strict=True)
        ]

    def _item(self, item: str, paths: list[list[str]]) -> dict[str, Any]:
        return {
            "id": item,
            "label_path": paths[0] if paths else [],
            "label_paths": paths,
            "thumbnail": link("thumbnail", item),
        }


def _node(taxonomy: Taxonomy, node: str) -> str:
    """A node's path as it is written.

    Raises:
        TaxohashError: it names nothing.
    """
    if path := "/".join(part for part in node.split("/") if part):
        return path
    raise TaxohashError(f"taxonomy {taxonomy.name!r} has no node {node[:60]!r}: leave it out to search all")


def _without(found: Found, row: int) -> npt.NDArray[np.int64]:
    """Which answers are another row's, in their order."""
    return np.flatnonzero(found.rows != row)


def items_by_node(
    taxonomy: Taxonomy, labels: ItemLabels, counts: npt.NDArray[np.int64]
) -> dict[tuple[str, ...], int]:
    """The number of items under every node of the tree, parents before children; one with several labels there is one.

    Args:
        labels: of some sets of labels.
        counts: int64[sets], the items that have each set.
    """
    below = []
    for level in range(taxonomy.depth):
        classes = taxonomy.class_count(level)
        pairs = np.unique(labels.owners * classes + taxonomy.ancestors[labels.flat, level])
        weights = counts[pairs // classes].astype(np.float64)  # exact to 2**53
        below.append(np.bincount(pairs % classes, weights, minlength=classes).astype(np.int64).tolist())
    items = {
        path[: level + 1]: below[level][taxonomy.ancestors[label, level]]
        for label, path in enumerate(taxonomy.paths)
        for level in range(len(path))
    }
    return dict(sorted(items.items()))
