"""scores.npz: what each query scored in the headline metrics, for those who compare two hashers query by query."""

from pathlib import Path

import numpy as np

from taxohash.errors import TaxohashError
from taxohash.protocols import Scores
from taxohash.runtime.atomic import replacing

SCORES = "scores.npz"


def save_scores(folder: str | Path, scores: Scores, name: str = SCORES) -> Path:
    """Write the scores float32[Q] of each metric, as `Report.scores` holds them, and return the file."""
    file = Path(folder) / name
    with replacing(file) as draft:
        np.savez(draft, allow_pickle=False, **scores)
    return file


def load_scores(folder: str | Path, name: str = SCORES) -> Scores:
    """What `save_scores` wrote.

    Raises:
        TaxohashError: no such file, or one that holds no scores.
    """
    file, remedy = Path(folder) / name, "run `taxohash evaluate` again"
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            scores = {metric: stored[metric] for metric in stored.files}
    except FileNotFoundError:
        raise TaxohashError(f"there is no {file}: {remedy}") from None
    except Exception:  # NumPy and the archive's reader raise whatever they meet
        raise TaxohashError(f"{file} cannot be read as scores: {remedy}") from None
    if not scores or any(values.ndim != 1 or values.dtype != np.float32 for values in scores.values()):
        raise TaxohashError(f"{file} does not hold one number a query: {remedy}")
    return scores
