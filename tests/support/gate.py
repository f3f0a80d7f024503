"""Evidence for the gate: hashers whose queries score about what is wanted, and that are otherwise alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import bit_health, pack
from taxohash.protocols import Scores
from taxohash.release.gate import Evidence, Measured, Policy, judge
from taxohash.release.judging import Judgement

METRICS = ("mAP", "mAHP", "nDCG", "mAP/kind")
NOISE = 0.1
MD5 = "d41d8cd98f00b204e9800998ecf8427e.dir"
CLASSES = frozenset([("kind", "one"), ("kind", "two"), ("other", "three")])
BITS = 32


def scores(mean: float, queries: int = 1000, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Of queries that are easy or hard, which all hashers find alike, and noise of each hasher's own."""
    hardness = np.random.default_rng(99).uniform(-0.2, 0.2, queries)
    own = np.random.default_rng(seed).normal(0, NOISE, (len(METRICS), queries))
    both = hardness - hardness.mean() + own - own.mean(axis=1, keepdims=True)
    return {name: (mean + values).astype(np.float32) for name, values in zip(METRICS, both, strict=True)}


def flat(mean: float, queries: int = 1000) -> dict[str, npt.NDArray[np.float32]]:
    return dict.fromkeys(METRICS, np.full(queries, mean, np.float32))


def health(stuck: int = 0) -> dict[str, Any]:
    """Of random codes, of which some bits are stuck."""
    outputs = np.random.default_rng(0).normal(size=(500, BITS)).astype(np.float32)
    outputs[:, :stuck] = 1.0
    return bit_health(pack(outputs), BITS).as_dict()


def trust(error: float, queries: int = 2000) -> dict[str, Any]:
    """Calibration errors of two levels."""
    levels = {
        "kind": {"ece": 0.01, "base_rate": 0.5},
        "class": {"ece": error, "base_rate": 0.1},
        "below": None,
    }
    new = {"weighted": {"shared": {"kind": {"ece": 0.02, "base_rate": 0.5}}}}
    return {"queries": queries, "seen": {"hamming": {"shared": levels}}, "new": new}


def measured(values: Scores, **changed: Any) -> Measured:
    """A sound hasher, but for what is changed."""
    return Measured(
        **{
            "scores": values,
            "dataset_md5": MD5,
            "classes": CLASSES,
            "weights": "challenger",
            "bit_health": health(),
            "collisions": 0.01,
            "calibration": trust(0.03),
            "seconds": 0.004,
            "size": 1_000_000,
            **changed,
        }
    )


def evidence(
    challenger: Measured,
    champion: Measured | None = None,
    chance: float | Scores = 0.02,
    baseline: float | Scores = 0.3,
    **changed: Any,
) -> Evidence:
    """What is judged by; chance and baseline are the same for every query."""
    queries = len(next(iter(challenger.scores.values()), ()))
    given: Mapping[str, Any] = {
        "chance": flat(chance, queries) if isinstance(chance, float) else chance,
        "baseline": flat(baseline, queries) if isinstance(baseline, float) else baseline,
        "dataset_md5": MD5,
        "classes": CLASSES,
        "label_entropy": 1.5,
        "leaked": np.zeros(queries, np.bool_),
    }
    return Evidence(challenger=challenger, champion=champion, **{**given, **changed})


def judged(
    challenger: Scores,
    champion: Scores | None = None,
    chance: float | Scores = 0.02,
    baseline: float | Scores = 0.3,
    **policy: Any,
) -> Judgement:
    """What is said of scores, all else being sound."""
    before = None if champion is None else measured(champion, weights="champion")
    found = evidence(measured(challenger), before, chance, baseline)
    return judge(found, Policy(**{"resamples": 400} | policy))
