"""What a hasher must beat: chance, and codes that anybody has without training.

Chance is the expectation of a random ranking, exactly: where all codes are equal, all items tie, and the metrics take
the expected value over all orders of what ties. The baseline is ITQ on frozen features: of the hasher's own backbone
with its pretrained weights where there are such, else of the pictures themselves at 16 px. Labels are not looked at.
Both are asked the same queries on the same database under the same protocol as the hasher, so that they can be
compared query by query.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, pack
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import queries_of, read_report
from taxohash.evaluation.run import graded
from taxohash.evaluation.scores import load_scores, save_scores
from taxohash.images import Preprocessing
from taxohash.protocols import Scores, evaluate, find_protocol
from taxohash.runtime.atomic import read_json, write_json
from taxohash.runtime.progress import announce

if TYPE_CHECKING:
    from taxohash.training.run import RunConfig

BASELINE = "baseline.json"
CHANCE_SCORES, BASELINE_SCORES = "chance.npz", "baseline.npz"
SIDE = 16  # pixels of the pictures where there is no backbone
FITTED = 20_000  # images of which ITQ is made: more change nothing
BLOCK = 10_000  # images that are encoded at once
ITERATIONS = 50  # of ITQ, as its authors
FLAT = 1e-5  # share of the greatest variance below which a component tells nothing
Features = npt.NDArray[np.float16 | np.uint8]
Read = Callable[[str], Features]


@dataclass(frozen=True)
class Yardsticks:
    """What a hasher is held against.

    Attributes:
        chance: scores of a random ranking, float32[Q] of each headline metric.
        baseline: scores of ITQ on features, likewise.
        features: of what the baseline's codes are made, in words.
        bits: length of its codes: the hasher's, or fewer where the images do not differ in as many ways.
    """

    chance: Scores
    baseline: Scores
    features: str
    bits: int

    def save(self, folder: str | Path) -> None:
        """Write chance.npz, baseline.npz and, with the means, baseline.json."""
        path = Path(folder)
        save_scores(path, self.chance, CHANCE_SCORES)
        save_scores(path, self.baseline, BASELINE_SCORES)
        means = {
            name: {metric: float(values.mean(dtype=np.float64)) for metric, values in scores.items()}
            for name, scores in (("chance", self.chance), ("baseline", self.baseline))
        }
        write_json(path / BASELINE, {**means, "features": self.features, "bits": self.bits})

    @classmethod
    def load(cls, folder: str | Path) -> "Yardsticks":
        """What `save` wrote.

        Raises:
            TaxohashError: it was not measured yet, or a file is damaged.
        """
        path, remedy = Path(folder), "measure the baseline again"
        match read_json(path / BASELINE, remedy):
            case {"features": str(features), "bits": int(bits)}:
                chance, baseline = load_scores(path, CHANCE_SCORES), load_scores(path, BASELINE_SCORES)
                return cls(chance, baseline, features, bits)
        raise TaxohashError(f"{path / BASELINE} is no baseline: {remedy}")


def measure_yardsticks(folder: str | Path, data: str | Path | None = None) -> Yardsticks:
    """Measure chance and the baseline as an evaluated run was measured, and write them beside its report.

    Features of a backbone are kept in the run's folder, where the training of a frozen one has left those of its split.

    Raises:
        TaxohashError: no finished and evaluated run, or other data than it was trained on.
    """
    from taxohash.training.run import FEATURES, Run  # torch: only where a run is given

    run, report = Run.open(folder), read_report(folder)
    dataset, config = run.dataset(data), run.config
    queries, named = queries_of(report), find_protocol(report["protocol"])
    protocol, labels = graded(named, dataset, config.split, queries)
    database = queries if protocol.among_queries else config.split
    read, words = _features(config, dataset, run.folder / FEATURES)

    values = read(database)
    encode, bits = itq(values, config.bits)
    codes = {database: encode(values)}
    codes[queries] = codes[database] if queries == database else encode(read(queries))

    def scores(codes: dict[str, Codes], bits: int) -> Scores:
        return evaluate(
            protocol.name,
            codes[queries],
            labels(queries),
            codes[database],
            labels(database),
            dataset.taxonomy,
            bits=bits,
        ).scores

    nothing = {split: np.zeros_like(own[:, :1]) for split, own in codes.items()}
    found = Yardsticks(scores(nothing, 8), scores(codes, bits), words, bits)
    found.save(folder)
    return found


def itq(values: Features, bits: int, seed: int = 0) -> tuple[Callable[[Features], Codes], int]:
    """Iterative quantisation of features [N, D]: what encodes such, and how many bits its codes have.

    Components in which the features do not differ are left out: of few images, or equal ones, fewer bits can be
    made. One bit is always there, if need be the same for all.
    """
    import torch

    from taxohash.objectives.itq import principal_components, rotate_to_cube

    some = values[np.linspace(0, len(values) - 1, min(len(values), FITTED)).astype(int)]
    fitted = torch.from_numpy(some.astype(np.float32))
    mean, components = principal_components(fitted, min(bits, fitted.shape[1]))
    variances = ((fitted - mean) @ components).square().mean(dim=0)
    components = components[:, variances > FLAT * variances.max()]
    if not components.shape[1]:
        return lambda given: np.zeros((len(given), 1), np.uint8), 1
    generator = torch.Generator().manual_seed(seed)
    components = components @ rotate_to_cube((fitted - mean) @ components, ITERATIONS, generator)

    def encode(given: Features) -> Codes:
        blocks = (given[start : start + BLOCK] for start in range(0, len(given), BLOCK))
        projected = ((torch.from_numpy(block.astype(np.float32)) - mean) @ components for block in blocks)
        return np.concatenate([pack(block.numpy()) for block in projected])

    return encode, components.shape[1]


def _features(config: "RunConfig", dataset: Dataset, cache: Path) -> tuple[Read, str]:
    """What reads a split's features, and of what they are."""
    from taxohash.networks.backbones import find_backbone
    from taxohash.networks.features import features, frozen

    network = config.network
    if find_backbone(network.name).pretrained:
        try:
            extractor = frozen(network.name, network.size, network.channels, config.reader)
            words = f"frozen {network.name} features at {network.size} px"
            return lambda split: features(dataset, split, extractor, cache), words
        except TaxohashError as error:  # weights that were fetched when it was trained, and cannot be now
            announce(f"baseline of pixels, not of frozen features: {error}")
    channels = network.channels
    small = Preprocessing(SIDE, channels, "pad", (0.0,) * channels, (1.0,) * channels, config.reader)
    return lambda split: dataset.pixels(split, small).reshape(
        dataset.count(split), -1
    ), f"pictures of {SIDE} px"
