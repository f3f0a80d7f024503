"""The evidence, read and measured from folders: an evaluated run and its draft, the champion's evaluation and its generation, the data."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.datasets import Dataset
from taxohash.datasets.digests import pixel_digests
from taxohash.evaluation.baseline import Yardsticks
from taxohash.evaluation.report.read import queries_of, read_report
from taxohash.evaluation.scores import load_scores
from taxohash.generation.hasher import MODEL, Model
from taxohash.generation.manifest import Generation, file_sha256
from taxohash.images import Pixels
from taxohash.release.draft import Draft
from taxohash.release.gate.evidence import Evidence, Measured
from taxohash.taxonomy import Taxonomy
from taxohash.training.run import WEIGHTS

ROUNDS = 50  # of encoding one picture each
WARMING = 5


def measure(
    evaluated: str | Path,
    draft: str | Path,
    champion: tuple[str | Path, str | Path] | None,
    data: str | Path,
    dataset_md5: str,
) -> Evidence:
    """What there is to judge a challenger by. Its network and the champion's are timed in turns, as they would be served.

    Args:
        evaluated: the evaluated run, with its yardsticks.
        draft: its exported hasher.
        champion: where its evaluation on these data lies, and its generation; None where nothing is published.
        dataset_md5: the data version of the run.

    Raises:
        TaxohashError: something was not evaluated, not exported, or is damaged.
    """
    dataset, report = Dataset.open(data), read_report(evaluated)
    queries, exported = queries_of(report), Draft.open(draft)
    hashers = [(Path(draft), exported.preprocessing)]
    if champion is not None:
        hashers.append((Path(champion[1]), Generation.load(champion[1]).preprocessing))
    pictures = [
        dataset.pixels(queries, preprocessing, rows=range(1), progress=False) for _, preprocessing in hashers
    ]
    times = seconds([Model(folder / MODEL) for folder, _ in hashers], pictures)
    yardsticks = Yardsticks.load(evaluated)
    return Evidence(
        challenger=_measured(evaluated, hashers[0][0], times[0]),
        champion=_measured(champion[0], hashers[1][0], times[1]) if champion else None,
        chance=yardsticks.chance,
        baseline=yardsticks.baseline,
        dataset_md5=dataset_md5,
        classes=frozenset(dataset.taxonomy.paths),
        label_entropy=label_entropy(dataset, exported.learned_from),
        leaked=leaked(dataset, exported.learned_from, queries),
    )


def seconds(models: Sequence[Model], pictures: Sequence[Pixels]) -> list[float]:
    """Median seconds that each network takes for its picture uint8[1, C, H, W]; in turns, so that what else the machine does hits all."""
    rounds = []
    for _ in range(WARMING + ROUNDS):
        times = []
        for model, pixels in zip(models, pictures, strict=True):
            start = perf_counter()
            model.outputs(pixels)
            times.append(perf_counter() - start)
        rounds.append(times)
    medians: list[float] = np.median(rounds[WARMING:], axis=0).tolist()
    return medians


def label_entropy(dataset: Dataset, split: str) -> float:
    """Of the labels of a split's pictures, in bits; 0 where they have sets of labels, or none."""
    if dataset.label_column(split) != "label":
        return 0.0
    counts = np.unique(dataset.labels(split), return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def leaked(dataset: Dataset, learned_from: str, queries: str) -> npt.NDArray[np.bool_]:
    """bool[Q]: which queries have the pixels of a picture of the split that was learned from, as all copies of its bytes do."""
    if learned_from == queries:
        return np.ones(dataset.count(queries), np.bool_)
    learned, asked = (pixel_digests(dataset, split)[0] for split in (learned_from, queries))
    known = {digest for digest in learned if digest}
    return np.array([digest in known for digest in asked], np.bool_)


def _measured(evaluation: str | Path, hasher: Path, time: float) -> Measured:
    report = read_report(evaluation)
    weights = hasher / WEIGHTS
    return Measured(
        scores=load_scores(evaluation),
        dataset_md5=_text(report.get("provenance", {}).get("dataset_md5")),
        classes=frozenset(Taxonomy.load(hasher).paths),
        weights=file_sha256(weights if weights.is_file() else hasher / MODEL),
        bit_health=report.get("bit_health", {}),
        collisions=report["metrics"].get("collisions"),
        calibration=report.get("calibration", {}).get("measured", {}),
        seconds=time,
        size=os.stat(hasher / MODEL).st_size,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
