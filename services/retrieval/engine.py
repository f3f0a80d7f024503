"""One generation, loaded: from the bytes of a picture to its nearest items."""

import io
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import numpy as np
from PIL import Image

from services import metrics
from services.codestore import CodeStore, GenerationRef, ItemLabels, Snapshot
from services.retrieval.errors import RefusedError
from services.retrieval.labels import said
from services.retrieval.settings import Settings
from services.retrieval.uploads import Search
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.images import decode, read_pixels
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.agreement import agreed_levels, majority_path

if TYPE_CHECKING:
    from taxohash.hamming import Selection

_PREPARED = 256  # selections of taxonomy nodes kept, a byte an item each


class Engine:
    """Hasher and codes of one generation. Safe to call from several threads."""

    def __init__(self, hasher: Hasher, snapshot: Snapshot, max_pixels: int, unsaid: int = 0) -> None:
        """Join a hasher and the codes it made.

        Args:
            snapshot: its labels are those of the hasher's taxonomy.
            unsaid: how many items have labels besides, which that taxonomy does not know.

        Raises:
            TaxohashError: the codes are of another generation.
        """
        from taxohash.hamming import HammingIndex  # numba, which takes longer to import than all the rest

        refuse_mismatch(hasher.generation, snapshot.generation, "the snapshot")
        self.generation = hasher.generation
        self.taxonomy = hasher.taxonomy
        self._items_by_node = items_by_node(self.taxonomy, snapshot.labels)
        self._unsaid = unsaid
        self._hasher = hasher
        self._ids = snapshot.ids
        self._labels = snapshot.labels
        self._index = HammingIndex.build(snapshot.codes, bits=self.generation.bits, centres=hasher.centres)
        self._max_pixels = max_pixels
        self._selection = lru_cache(_PREPARED)(self._select)
        self._warm_up()

    @classmethod
    def open(cls, folder: Path, store: CodeStore, settings: Settings) -> Self:
        """Load the generation in `folder` and the codes of the published one, which must be the same.

        Raises:
            TaxohashError: see Hasher and CodeStore; or the two are not of one generation.
        """
        hasher = Hasher(folder)
        refuse_mismatch(
            hasher.generation, store.published(settings.collection), f"collection {settings.collection!r}"
        )
        snapshot = store.snapshot(settings.collection, hasher.generation.id)
        # Afterwards: a taxonomy that grows meanwhile gives numbers that are known here.
        known = store.labels(settings.collection).labels(hasher.generation.taxonomy_sha256)
        labels, unsaid = said(snapshot.labels, known)
        return cls(hasher, replace(snapshot, labels=labels), settings.limits.pixels, unsaid)

    def __len__(self) -> int:
        """Number of codes searched."""
        return len(self._ids)

    def search(self, asked: Search) -> dict[str, Any]:
        """The answer to one search, as it goes to the client.

        Raises:
            RefusedError: 422 for bytes that are no picture, 400 for an unknown taxonomy node.
        """
        started = time.perf_counter()
        allowed = self._allowed(asked.within)
        with metrics.STAGE_SECONDS.labels("decode").time():
            try:
                pixels = read_pixels(asked.image, self.generation.preprocessing, self._max_pixels)
            except TaxohashError as error:
                raise RefusedError(422, "image", str(error)) from None
        with metrics.STAGE_SECONDS.labels("encode").time():
            code = self._hasher.encode_pixels(pixels[None])
        with metrics.STAGE_SECONDS.labels("search").time():
            distances, rows = self._index.search(code, k=asked.k, allowed=allowed)
        results = [
            self._item(row) | {"distance": distance}
            for row, distance in zip(rows[0].tolist(), distances[0].tolist(), strict=True)
        ]
        majority = majority_path([result["label_paths"] for result in results])
        return {
            "generation": self.generation.id,
            "bits": self.generation.bits,
            "code": code[0].tobytes().hex(),
            "within": asked.within,
            "majority": [{"name": name, "items": items} for name, items in majority],
            "results": [
                result | {"levels_agreed": agreed_levels(result["label_paths"], majority)}
                for result in results
            ],
            "took_ms": round(1000 * (time.perf_counter() - started), 3),
        }

    def describe_taxonomy(self) -> dict[str, Any]:
        """The label tree with the number of items under every node, parents before children."""
        return {
            "name": self.taxonomy.name,
            "levels": list(self.taxonomy.levels),
            "source": self.taxonomy.source,
            "licence": self.taxonomy.licence,
            "nodes": [{"path": list(path), "items": count} for path, count in self._items_by_node.items()],
        }

    def examples(self) -> dict[str, Any]:
        """One item of every label, or any items where none has a label, at most 24, to start from."""
        firsts = self._labels.owners[np.unique(self._labels.flat, return_index=True)[1]]
        rows = np.array(list(dict.fromkeys(firsts.tolist())) or range(len(self)), np.int64)
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), 24)).astype(int)]
        return {"items": [self._item(row) for row in chosen.tolist()]}

    def describe_generation(self) -> dict[str, Any]:
        """What is served."""
        generation = self.generation
        return {
            "id": generation.id,
            "bits": generation.bits,
            "codes": len(self),
            "items_with_unknown_labels": self._unsaid,
            "database": generation.database,
            "objective": generation.objective,
            "network": generation.network,
            "taxonomy_sha256": generation.taxonomy_sha256,
            "dataset_md5": generation.dataset_md5,
            "evaluation": generation.evaluation,
            "bit_health": generation.bit_health,
        }

    def _item(self, row: int) -> dict[str, Any]:
        item = self._ids[row]
        paths = [list(self.taxonomy.paths[label]) for label in self._labels[row]]
        return {
            "id": item,
            "label_path": paths[0] if paths else [],
            "label_paths": paths,
            "thumbnail": f"/v1/items/{quote(item, safe='')}/thumbnail",
        }

    def _allowed(self, within: str | None) -> "Selection | None":
        if within is None:
            return None
        try:
            return self._selection("/".join(part for part in within.split("/") if part))
        except TaxohashError as error:
            raise RefusedError(400, "parameter", str(error)) from None

    def _select(self, node: str) -> "Selection":
        below = np.zeros(len(self), np.bool_)
        below[self._labels.owners[np.isin(self._labels.flat, self.taxonomy.subtree(node))]] = True
        return self._index.select(below)

    def _warm_up(self) -> None:
        """Pay for first calls (codecs, compiled kernels, memory) before the first request has to."""
        blank = io.BytesIO()
        Image.new("RGB", (16, 16)).save(blank, "PNG")
        code = self._hasher.encode([decode(blank.getvalue())])
        one_row = self._index.select(np.arange(min(1, len(self))))
        for allowed in (None, one_row):
            self._index.search(code, k=10, allowed=allowed)


def items_by_node(taxonomy: Taxonomy, labels: ItemLabels) -> dict[tuple[str, ...], int]:
    """The number of items under every node of the tree, parents before children; one with several labels there is one."""
    below = []
    for level in range(taxonomy.depth):
        classes = taxonomy.class_count(level)
        pairs = np.unique(labels.owners * classes + taxonomy.ancestors[labels.flat, level])
        below.append(np.bincount(pairs % classes, minlength=classes).tolist())
    items = {
        path[: level + 1]: below[level][taxonomy.ancestors[label, level]]
        for label, path in enumerate(taxonomy.paths)
        for level in range(len(path))
    }
    return dict(sorted(items.items()))


def refuse_mismatch(generation: Generation, published: GenerationRef | None, where: str) -> None:
    """Compare the model's generation with the one in the store.

    Raises:
        TaxohashError: they differ, or there is none in the store; names both.
    """
    if published is None:
        raise TaxohashError(
            f"model is of generation {generation.id} but {where} has none published: publish it first"
        )
    if published.id != generation.id:
        raise TaxohashError(
            f"model is of generation {generation.id} but {where} has generation {published.id}: "
            "serve the generation that is published, or publish this one"
        )
