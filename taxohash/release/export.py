"""From an evaluated run to a generation: the hasher as ONNX, the codes it makes, and the manifest."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from taxohash.codes import Codes, bit_health, pack
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.splits import indexed_splits
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import REPORT, queries_of, read_report
from taxohash.generation.hasher import CENTRES, CODES, ITEMS, MODEL, Model
from taxohash.generation.manifest import MANIFEST, Generation, file_sha256
from taxohash.images import Pixels
from taxohash.release.onnx import check_equal, write_onnx
from taxohash.runtime.atomic import drafting, place, write_json
from taxohash.runtime.progress import bars
from taxohash.runtime.provenance import UNKNOWN, revision
from taxohash.training.run import WEIGHTS, Run

CHECKED_IMAGES = 1000


def export(
    folder: str | Path, out: str | Path, data: str | Path | None = None, splits: Sequence[str] = ()
) -> Path:
    """Make a generation of an evaluated run below `out`, unless it is there; its directory, named by its id.

    The exported hasher itself encodes the database, so that codes at rest and codes of queries come
    from one engine. What the generation tells of quality, bits and drift is of the training split and of the queries
    of its evaluation, whatever splits are indexed.

    Args:
        splits: whose images can be found; all but `canary` if none is named.

    Raises:
        TaxohashError: no finished or evaluated run, other data, a split that cannot be indexed, or an exported model
            that disagrees.
    """
    run = Run.open(folder)
    dataset = run.dataset(data)
    evaluation = read_report(folder)
    queries = queries_of(evaluation)
    indexed = indexed_splits(dataset, splits)
    database = [{"split": split, "rows": dataset.count(split)} for split in indexed]
    root = Path(out)
    code_revision = run.provenance | {"export": revision()["commit"]}
    if (made := _made_before(run, code_revision, database, root)) is not None:
        return made
    from taxohash.objectives import config_of  # torch, and seconds: only where there is something to make

    network, objective = run.trained(dataset)
    with drafting(root) as draft:
        shutil.copyfile(run.folder / WEIGHTS, draft / WEIGHTS)
        shutil.copyfile(run.folder / REPORT, draft / REPORT)
        dataset.taxonomy.save(draft / "taxonomy.json")
        write_onnx(network, draft / MODEL)
        hasher = Model(draft / MODEL, threads=os.cpu_count() or 1)
        asked = dataset.pixels(queries, network.preprocessing)
        check_equal(network, hasher, asked[:CHECKED_IMAGES])
        codes = {
            split: _encode(hasher, dataset.pixels(split, network.preprocessing), split)
            for split in dict.fromkeys((run.config.split, *indexed))
        }
        np.save(draft / CODES, np.concatenate([codes[split] for split in indexed]), allow_pickle=False)
        write_json(draft / ITEMS, _items(dataset, indexed))
        if (centres := objective.class_codes()) is not None:
            np.save(draft / CENTRES, pack(centres.numpy()), allow_pickle=False)
        generation = Generation(
            bits=run.config.bits,
            objective={"name": run.config.objective.name, "config": config_of(objective)},
            network=run.config.network.name,
            preprocessing=network.preprocessing,
            taxonomy_sha256=dataset.taxonomy.sha256,
            dataset_md5=run.config.dataset_md5,
            code_revision=code_revision,
            evaluation={key: evaluation[key] for key in ("protocol", "headline", "metrics", "counts", "ties")}
            | {"queries": queries},
            bit_health=bit_health(codes[run.config.split], run.config.bits).as_dict(),
            reference={
                "nearest_distance": _nearest(
                    hasher.encode_pixels(asked[:CHECKED_IMAGES]),
                    codes[run.config.split],
                    run.config.bits,
                    inside=queries == run.config.split,
                ),
                "class_share": _shares(dataset, run.config.split),
            },
            database=database,
        ).write(draft)
        final = root / generation.id
        if not (final.exists() and _sound(final)):
            place(draft, final)
    return final


def _items(dataset: Dataset, splits: Sequence[str]) -> dict[str, Any]:
    """Ids and labels of the images of some splits, in their order."""
    ids = item_ids(dataset)
    return {
        "ids": [item_id for split in splits for item_id in ids[split]],
        "labels": [own for split in splits for own in dataset.item_labels(split)],
    }


def _made_before(
    run: Run, code_revision: dict[str, str], database: list[dict[str, Any]], root: Path
) -> Path | None:
    """The generation below `root` that this very code made of this very run, with the codes of these splits."""
    if code_revision["export"].endswith(("-dirty", UNKNOWN)):  # may be any code
        return None
    sources = {name: file_sha256(run.folder / name) for name in (WEIGHTS, REPORT)}
    for manifest in sorted(root.glob(f"[!.]*/{MANIFEST}")):
        made = _sound(manifest.parent)
        same = made and (made.code_revision, made.database) == (code_revision, database)
        if made and same and sources.items() <= made.files.items():
            return manifest.parent
    return None


def _sound(folder: Path) -> Generation | None:
    with contextlib.suppress(TaxohashError):
        return Generation.load(folder)
    return None


def _encode(hasher: Model, pixels: Pixels, split: str, batch: int = 2000) -> Codes:
    parts = []
    with bars() as progress:
        task = progress.add_task(f"encoding {split}", total=len(pixels), note="")
        for start in range(0, len(pixels), batch):
            parts.append(hasher.encode_pixels(pixels[start : start + batch]))
            progress.update(task, advance=len(parts[-1]))
    return np.concatenate(parts)


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
