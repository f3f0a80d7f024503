"""A draft: an exported hasher that has made no codes yet. A generation is built of it, its codes, and the data they are of.

draft.json, taxonomy.json, hasher.onnx, report.json, weights.safetensors, and centres.npy where the objective has class codes.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taxohash.codes import pack
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import REPORT, queries_of, read_report
from taxohash.evaluation.unlike import load
from taxohash.generation.calibration import Calibration
from taxohash.generation.file import DraftFile
from taxohash.generation.hasher import CENTRES, MODEL, Model
from taxohash.generation.manifest import Generation
from taxohash.images import Preprocessing
from taxohash.runtime.atomic import new_folder, read_json, write_json
from taxohash.runtime.configuration import plain, read
from taxohash.runtime.provenance import revision
from taxohash.training.run import WEIGHTS, Run

DRAFT = "draft.json"
TREE = "taxonomy.json"
CHECKED_IMAGES = 1000
_REMEDY = "export the run again"


@dataclass(frozen=True)
class Draft:
    """What is known of a hasher without codes.

    Attributes:
        folder: where it lies.
        bits, objective, network, preprocessing, code_revision: as in `Generation`.
        learned_from: the split that it was trained on.
    """

    folder: Path
    bits: int
    objective: dict[str, Any]
    network: str
    preprocessing: Preprocessing
    code_revision: dict[str, str]
    learned_from: str

    @classmethod
    def open(cls, folder: str | Path) -> "Draft":
        """Read a draft's folder.

        Raises:
            TaxohashError: there is none.
        """
        file = Path(folder) / DRAFT
        said = read_json(file, _REMEDY)
        try:
            data = plain(read(DraftFile, said)) | {
                "preprocessing": Preprocessing.from_dict(said["preprocessing"])
            }
        except TaxohashError as error:
            raise TaxohashError(f"{file} describes no hasher ({error}): {_REMEDY}") from None
        return cls(folder=Path(folder), **data)

    def model(self) -> Model:
        """The network, on all cores."""
        return Model(self.folder / MODEL, threads=os.cpu_count() or 1)


def draft_of_run(run: Run, dataset: Dataset, out: str | Path) -> Draft:
    """Write the hasher of an evaluated run into a new folder, or one that is empty; its answers are those of the network.

    Raises:
        TaxohashError: no evaluated run, or an exported model that disagrees with the network.
    """
    from taxohash.objectives import config_of  # torch, and seconds: only where there is something to make
    from taxohash.release.onnx import check_equal, write_onnx

    report = read_report(run.folder)
    queries = queries_of(report)
    network, objective = run.trained(dataset)
    with new_folder(Path(out)) as draft:
        shutil.copyfile(run.folder / WEIGHTS, draft / WEIGHTS)
        shutil.copyfile(run.folder / REPORT, draft / REPORT)
        dataset.taxonomy.save(draft / TREE)
        novelty = load(run.folder)
        write_onnx(network, draft / MODEL, novelty)
        asked = dataset.pixels(queries, network.preprocessing, rows=first_rows(dataset, queries))
        check_equal(
            network, Model(draft / MODEL, threads=os.cpu_count() or 1), asked, novelty, _limits(report)
        )
        if (centres := objective.class_codes()) is not None:
            np.save(draft / CENTRES, pack(centres.numpy()), allow_pickle=False)
        said = {
            "bits": run.config.bits,
            "objective": {"name": run.config.objective.name, "config": config_of(objective)},
            "network": run.config.network.name,
            "preprocessing": network.preprocessing.as_dict(),
            "code_revision": run.provenance | {"export": revision()["commit"]},
            "learned_from": run.config.split,
        }
        write_json(draft / DRAFT, said)
    return Draft.open(out)


def draft_of_generation(
    folder: str | Path, dataset: Dataset, report: Mapping[str, Any], out: str | Path, learned_from: str
) -> Draft:
    """Write the hasher of a generation into a new folder, to make codes of another data version.

    Its class codes go with it where the tree is the same.

    Args:
        report: what an evaluation of the hasher on that data version found, see `read_report`.
        learned_from: the split that drift of the codes is measured against.

    Raises:
        TaxohashError: a damaged generation.
    """
    generation, source = Generation.load(folder), Path(folder)
    same_tree = generation.taxonomy_sha256 == dataset.taxonomy.sha256
    with new_folder(Path(out)) as draft:
        for name in generation.files:
            if name in (MODEL, WEIGHTS) or (name == CENTRES and same_tree):
                shutil.copyfile(source / name, draft / name)
        (draft / REPORT).write_text(json.dumps(dict(report)), encoding="utf-8")
        dataset.taxonomy.save(draft / TREE)
        said = {
            "bits": generation.bits,
            "objective": generation.objective,
            "network": generation.network,
            "preprocessing": generation.preprocessing.as_dict(),
            "code_revision": generation.code_revision | {"hasher_of": generation.id},
            "learned_from": learned_from,
        }
        write_json(draft / DRAFT, said)
    return Draft.open(out)


def _limits(report: Mapping[str, Any]) -> tuple[float, ...]:
    """Of novelty, as the report's calibration has them; none where nothing was calibrated."""
    calibration = report.get("calibration")
    return read(Calibration, calibration).novelty if calibration else ()


def first_rows(dataset: Dataset, split: str) -> range:
    """Of a split, as many rows as are looked at where all are not."""
    return range(min(dataset.count(split), CHECKED_IMAGES))
