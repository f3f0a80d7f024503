"""A generation built of a hasher's draft, the codes it made, and the data they are of."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, bit_health, check
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.splits import CANARY
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import queries_of, read_report
from taxohash.generation.calibration import Calibration
from taxohash.generation.canaries import MOST_BYTES, Canaries, chosen
from taxohash.generation.hasher import CODES, ITEMS, Model
from taxohash.generation.manifest import Generation
from taxohash.images import load_pixels
from taxohash.release.draft import DRAFT, Draft, first_rows
from taxohash.release.recall import CanaryCodes, Catalogue, recall
from taxohash.release.reference import measured, summary
from taxohash.release.shards import encode
from taxohash.runtime.atomic import drafting, place, write_json
from taxohash.runtime.configuration import read
from taxohash.taxonomy import Taxonomy

TOLD = ("protocol", "headline", "metrics", "counts", "ranking", "ties", "weighted")  # of an evaluation


def build(draft: Draft, dataset: Dataset, splits: Sequence[str], codes: Codes, out: str | Path) -> Path:
    """Make a generation below `out`, unless it is there; its folder, named by its id.

    What it tells of quality and bits is of the training split and of the queries of its evaluation, whatever splits are indexed; what
    drift is measured against, see `release.reference`, is how those that can be found answer the queries.

    Args:
        splits: whose images can be found.
        codes: uint8[N, ceil(bits/8)] of their images, one split after the other.

    Raises:
        TaxohashError: another number of codes than of images, a data set without the split that the hasher learned from or without
            the queries, or a folder that cannot be written.
    """
    evaluation = read_report(draft.folder)
    queries = queries_of(evaluation)
    database: list[dict[str, Any]] = [{"split": split, "rows": dataset.count(split)} for split in splits]
    check(codes, draft.bits, "codes of the data set", sum(part["rows"] for part in database))
    model, root = draft.model(), Path(out)
    learned = _of_split(draft, model, dataset, splits, codes)
    asked = dataset.pixels(queries, draft.preprocessing, rows=first_rows(dataset, queries))
    with drafting(root) as folder:
        for file in sorted(draft.folder.iterdir()):
            if file.name != DRAFT:
                shutil.copyfile(file, folder / file.name)
        np.save(folder / CODES, codes, allow_pickle=False)
        items = _items(dataset, splits)
        write_json(folder / ITEMS, items)
        if canaries := canaries_of(dataset):
            canaries.save(folder)
        calibration = evaluation.get("calibration", {})
        reference = measured(
            model,
            draft.preprocessing,
            dataset,
            queries,
            splits,
            codes,
            read(Calibration, calibration) if calibration else None,
        )
        if canaries and canaries.pictures:
            held = Catalogue(items["ids"], items["labels"], dataset.taxonomy.paths, codes)
            reference = replace(reference, canaries=_recall(held, canaries, draft, model, dataset.taxonomy))
        reference.save(folder)
        generation = Generation(
            bits=draft.bits,
            objective=draft.objective,
            network=draft.network,
            preprocessing=draft.preprocessing,
            taxonomy_sha256=dataset.taxonomy.sha256,
            dataset_md5=dataset.md5(),
            code_revision=draft.code_revision,
            evaluation={key: evaluation[key] for key in TOLD if key in evaluation} | {"queries": queries},
            bit_health=bit_health(learned, draft.bits).as_dict(),
            reference={
                "nearest_distance": _nearest(
                    model.encode_pixels(asked), learned, draft.bits, inside=queries == draft.learned_from
                ),
                "class_share": _shares(dataset, draft.learned_from),
                "asked": summary(reference, dataset.taxonomy),
            },
            database=database,
            calibration=calibration,
            projection=evaluation.get("projection", {}),
        ).write(folder)
        final = root / generation.id
        if sound(final) is None:
            place(folder, final)
    return final


def canaries_of(dataset: Dataset) -> Canaries | None:
    """The canaries that travel with a generation of a data set: as many as there is room for, evenly of every class; None where it has
    none with labels."""
    if CANARY not in dataset.splits or dataset.label_column(CANARY) is None:
        return None
    labels = dataset.item_labels(CANARY)
    rows = chosen(labels)
    pictures = list(dataset.images(CANARY, rows))
    while (size := sum(map(len, pictures))) > MOST_BYTES:
        fewer = chosen([labels[row] for row in rows], len(rows) * MOST_BYTES // size)
        rows, pictures = [rows[i] for i in fewer], [pictures[i] for i in fewer]
    return Canaries(tuple(pictures), tuple(tuple(labels[row]) for row in rows))


def sound(folder: Path) -> Generation | None:
    """The generation in a folder, signed or not; None where none is, or a damaged one."""
    with contextlib.suppress(TaxohashError):
        return Generation.load_signed(folder, None)
    return None


def _of_split(draft: Draft, model: Model, dataset: Dataset, splits: Sequence[str], codes: Codes) -> Codes:
    """Codes of the split that the hasher learned from: among those given, or made."""
    first = 0
    for split in splits:
        count = dataset.count(split)
        if split == draft.learned_from:
            return codes[first : first + count]
        first += count
    return encode(model, draft.preprocessing, dataset, [draft.learned_from])


def _recall(
    held: Catalogue, canaries: Canaries, draft: Draft, model: Model, taxonomy: Taxonomy
) -> npt.NDArray[np.float32]:
    """float32[Q, levels]: recall@10 of each canary among what can be found."""
    pixels = np.stack([load_pixels(picture, draft.preprocessing) for picture in canaries.pictures])
    paths = [frozenset(taxonomy.paths[label] for label in own) for own in canaries.labels]
    asked = CanaryCodes(model.encode_pixels(pixels), paths, taxonomy.levels)
    return recall(held, asked, draft.bits, taxonomy.depth).astype(np.float32)


def _items(dataset: Dataset, splits: Sequence[str]) -> dict[str, Any]:
    """Ids and labels of the images of some splits, in their order."""
    ids = item_ids(dataset)
    return {
        "ids": [item_id for split in splits for item_id in ids[split]],
        "labels": [own for split in splits for own in dataset.item_labels(split)],
    }


def _nearest(queries: Codes, database: Codes, bits: int, inside: bool) -> list[int]:
    """How many queries lie at each distance, 0 to `bits`, from the nearest code of the database; not counting
    themselves where they are `inside` it."""
    from taxohash.hamming import HammingIndex

    distances, _ = HammingIndex.build(database, bits=bits).search(queries, k=1 + inside)
    counts: list[int] = np.bincount(distances[:, -1], minlength=bits + 1).tolist()
    return counts


def _shares(dataset: Dataset, split: str) -> list[float] | None:
    """The share of each label among all that a split's images have, or None where they have none."""
    if dataset.label_column(split) is None:
        return None
    counts = np.bincount(np.concatenate(dataset.label_sets(split)), minlength=len(dataset.taxonomy))
    shares: list[float] = (counts / max(counts.sum(), 1)).round(6).tolist()
    return shares
