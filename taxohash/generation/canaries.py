"""Canaries in a generation's folder: labelled pictures that nobody can find, by which a hasher is watched where it serves.

canaries.npz, arrays alone: `pictures` uint8[bytes] with `picture_ends` int64[Q], `labels` int32[L] with `label_ends` int64[Q].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import replacing

CANARIES = "canaries.npz"
MOST = 1000
MOST_BYTES = 64 << 20  # of all pictures together: each serving process takes them with its generation
_ARRAYS = {"pictures": np.uint8, "picture_ends": np.int64, "labels": np.int32, "label_ends": np.int64}


@dataclass(frozen=True)
class Canaries:
    """Q pictures.

    Attributes:
        pictures: their bytes (PNG, JPEG, WebP).
        labels: of each, as numbers in the generation's taxonomy.
    """

    pictures: tuple[bytes, ...]
    labels: tuple[tuple[int, ...], ...]

    def save(self, folder: str | Path) -> Path:
        """Write canaries.npz; the file."""
        file = Path(folder) / CANARIES
        with replacing(file) as draft:
            np.savez(
                draft,
                allow_pickle=False,
                pictures=np.frombuffer(b"".join(self.pictures), np.uint8),
                picture_ends=_ends(self.pictures),
                labels=np.array([label for own in self.labels for label in own], np.int32),
                label_ends=_ends(self.labels),
            )
        return file

    @classmethod
    def load(cls, folder: str | Path) -> "Canaries | None":
        """Those of a generation's folder; None where it has none.

        Raises:
            TaxohashError: the file is damaged.
        """
        file = Path(folder) / CANARIES
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in _ARRAYS}
        except FileNotFoundError:
            return None
        except Exception:  # NumPy and the archive's reader raise whatever they meet
            raise _damaged(file) from None
        if any(array.dtype != _ARRAYS[name] or array.ndim != 1 for name, array in arrays.items()):
            raise _damaged(file)
        pictures = _parts(file, arrays["pictures"], arrays["picture_ends"])
        labels = _parts(file, arrays["labels"], arrays["label_ends"])
        if len(pictures) != len(labels):
            raise _damaged(file)
        return cls(tuple(own.tobytes() for own in pictures), tuple(tuple(own.tolist()) for own in labels))


def chosen(labels: Sequence[Sequence[int]], most: int = MOST) -> list[int]:
    """Rows of at most so many canaries, in order: all, or evenly of every class, by the first of their labels.

    Of each class one is taken, then of each another, so that none has fewer than `most` shared out evenly gives it.
    """
    turns: dict[int, int] = {}
    order = []
    for row, own in enumerate(labels):
        label = min(own, default=-1)
        turns[label] = turns.get(label, -1) + 1
        order.append((turns[label], row))
    return sorted(row for _, row in sorted(order)[:most])


def _ends(parts: Sequence[Any]) -> npt.NDArray[np.int64]:
    return np.cumsum([len(part) for part in parts], dtype=np.int64)


def _parts(file: Path, flat: npt.NDArray[Any], ends: npt.NDArray[np.int64]) -> list[npt.NDArray[Any]]:
    """The pieces that end at the positions int64[Q] of an array."""
    bounds = [0, *ends.tolist()]
    if bounds[-1] != len(flat) or any(end < start for start, end in pairwise(bounds)):
        raise _damaged(file)
    return [flat[start:end] for start, end in pairwise(bounds)]


def _damaged(file: Path) -> TaxohashError:
    return TaxohashError(f"{file} holds no canaries: export the generation again")
