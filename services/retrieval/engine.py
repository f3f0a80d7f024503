"""One generation, whole: its hasher, and its items as they are now. From pixels to the nearest items."""

import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from services import metrics
from services.codestore import ItemLabels
from services.codestore.follower.replica import Replica
from services.codestore.follower.view import View
from services.retrieval.labels import said
from services.retrieval.nearness import reach
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.images import Pixels
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.agreement import agreed_levels, majority_path

_SUMMARY_SECONDS = 5.0  # what is told of all items together may be so old
_EXAMPLES = 24


@dataclass(frozen=True)
class _Summary:
    """Of all items together."""

    made: float
    nodes: dict[tuple[str, ...], int]
    unsaid: int
    examples: list[dict[str, Any]]


class Engine:
    """Hasher and items of one generation. Safe to call from several threads; the replica is kept level by a follower."""

    def __init__(self, hasher: Hasher, replica: Replica, known: npt.NDArray[np.int32]) -> None:
        """Join a hasher and the items that its codes are of.

        Args:
            known: int32[numbers], the label of the hasher's taxonomy of each label number, -1 where there is none.
        """
        self.generation = hasher.generation
        self.taxonomy = hasher.taxonomy
        self.replica = replica
        self.reach = reach(hasher.generation)
        self._hasher = hasher
        self._known = known
        self._summary: _Summary | None = None
        self._summing = threading.Lock()

    def __len__(self) -> int:
        """Number of items that can be found."""
        return len(self.replica)

    def search(self, pixels: Pixels, k: int, within: str | None, is_weighted: bool = True) -> dict[str, Any]:
        """The answer to one search, as it goes to the client.

        An item's `distance` is the number of bits in which its code differs from the picture's. By weights items are in
        the order of their `weighted_distance` instead: of the weights that the picture gives all bits, the share that
        lies on the bits in which an item's code differs; 0 to 1.

        Args:
            pixels: uint8[C, H, W], what the hasher's preprocessing gives.
            k: number of answers wanted.
            within: path of a taxonomy node, or None for all items.
            is_weighted: whether by weights.

        Raises:
            RefusedError: 400 for an unknown taxonomy node; 503 for a hasher whose outputs are not finite.
        """
        started = time.perf_counter()
        with metrics.STAGE_SECONDS.labels("encode").time():
            try:
                query = self._hasher.encode_query_pixels(pixels[None])
            except TaxohashError as error:  # not the picture is to blame, but what was published
                raise RefusedError(503, "hasher", str(error)) from None
        node = "/".join(part for part in within.split("/") if part) if within else ""
        if within and not node:
            raise RefusedError(
                400,
                "parameter",
                f"taxonomy {self.taxonomy.name!r} has no node {within[:60]!r}: leave it out to search all",
            )
        with metrics.STAGE_SECONDS.labels("search").time():
            try:
                weights = query.weights if is_weighted else None
                found = self.replica.search(query.codes, k=k, within=node or (), weights=weights)
            except TaxohashError as error:
                raise RefusedError(400, "parameter", str(error)) from None
        results = self._described(found.ids, found.labels)
        for result, distance in zip(results, found.distances.tolist(), strict=True):
            result["distance"] = distance
        if found.weighted is not None:
            shares = query.shares(found.weighted[None])
            for result, share in zip(results, shares[0].tolist(), strict=True):
                result["weighted_distance"] = share
        majority = majority_path([result["label_paths"] for result in results])
        return {
            "generation": self.generation.id,
            "bits": self.generation.bits,
            "code": query.codes[0].tobytes().hex(),
            "within": within,
            "ranking": "weighted" if is_weighted else "hamming",
            "majority": [{"name": name, "items": items} for name, items in majority],
            "results": [
                result | {"levels_agreed": agreed_levels(result["label_paths"], majority)}
                for result in results
            ],
            "took_ms": round(1000 * (time.perf_counter() - started), 3),
        }

    def nearest(self, code: str) -> int:
        """The least Hamming distance of an item to a code in hex, as an answer has it; the bits of a code where there is no item."""
        found = self.replica.search(np.frombuffer(bytes.fromhex(code), np.uint8)[None], k=1)
        return int(found.distances[0]) if len(found.distances) else self.generation.bits

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

    def warm_up(self) -> None:
        """Pay for first calls (compiled kernels, memory) before the first request has to."""
        blank = np.zeros(self.generation.preprocessing.shape, np.uint8)
        for within in (None, "/".join(self.taxonomy.paths[0])):
            self.search(blank, 10, within)
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
        labels, _ = said(numbers, self._known)
        return [self._item(item, labels[row]) for row, item in enumerate(ids)]

    def _item(self, item: str, labels: npt.NDArray[np.int32]) -> dict[str, Any]:
        paths = [list(self.taxonomy.paths[label]) for label in labels.tolist()]
        return {
            "id": item,
            "label_path": paths[0] if paths else [],
            "label_paths": paths,
            "thumbnail": f"/v1/items/{quote(item, safe='')}/thumbnail",
        }


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
