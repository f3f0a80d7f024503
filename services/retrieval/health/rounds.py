"""Rounds in which a generation's canaries are looked for among the items that are served: encoded once, then asked again and again."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from services.codestore import ItemLabels
from taxohash.codes import Codes
from taxohash.generation.canaries import Canaries
from taxohash.release.recall import NEAREST, chances
from taxohash.taxonomy import Taxonomy

Distances = npt.NDArray[np.int32]
# The Hamming distances int32[n] of a code uint8[1, ceil(bits/8)] to so many nearest items, and to all others as near as the last of these;
# and the labels of each of them in the generation's taxonomy.
Near = Callable[[Codes, int], tuple[Distances, ItemLabels]]


class Rounds:
    """Of one generation, for one thread; what a round found may be read by any. A step is one picture, so that whoever calls may rest.

    Attributes:
        count: of canaries; None until they were read.
        recall: mean recall@10 of each level, from the coarsest, of the last round; empty before one has ended.
        asked: Unix time at which that ended.
        due: for whoever calls, when the next may begin.
    """

    def __init__(
        self,
        load: Callable[[], Canaries | None],
        encode: Callable[[bytes], Codes],
        taxonomy: Taxonomy,
        bits: int,
    ) -> None:
        """Read nothing yet.

        Args:
            load: gives the canaries.
            encode: gives the code uint8[1, ceil(bits/8)] of a picture.
        """
        self.count: int | None = None
        self.recall: tuple[float, ...] = ()
        self.asked = self.due = 0.0
        self._load, self._encode, self._taxonomy, self._bits = load, encode, taxonomy, bits
        self._pictures: list[bytes] = []  # not encoded yet, the last first
        self._labels: Sequence[Sequence[int]] = ()
        self._codes: list[Codes] = []
        self._sums = np.zeros(taxonomy.depth)
        self._next = 0

    @property
    def is_prepared(self) -> bool:
        """Whether all canaries are encoded, if there are any."""
        return self.count is not None and not self._pictures

    @property
    def is_under_way(self) -> bool:
        """Whether some canaries of a round were asked, and others not yet."""
        return self._next > 0

    def prepare(self) -> None:
        """Read the canaries, or encode one more.

        Raises:
            TaxohashError: they, or one of their pictures, cannot be read.
        """
        if self.count is None:
            canaries = self._load() or Canaries((), ())
            self._pictures, self._labels = [*reversed(canaries.pictures)], canaries.labels
            self.count = len(canaries.pictures)
        elif self._pictures:
            self._codes.append(self._encode(self._pictures[-1]))
            self._pictures.pop()

    def give_up(self) -> None:
        """Go on as if there were none."""
        self.count, self._pictures, self._codes = 0, [], []

    def ask(self, near: Near) -> bool:
        """Ask the next canary; whether a round has ended with it."""
        distances, labels = near(self._codes[self._next], NEAREST)
        self._sums += self._chances(distances, labels, self._labels[self._next])
        self._next += 1
        if self._next < len(self._codes):
            return False
        self.recall, self.asked = tuple((self._sums / self._next).tolist()), time.time()
        self._sums, self._next = np.zeros_like(self._sums), 0
        return True

    def _chances(
        self, distances: Distances, labels: ItemLabels, own: Sequence[int]
    ) -> npt.NDArray[np.float64]:
        """float64[levels]: of one canary, see `taxohash.release.recall`."""
        if not len(distances):
            return np.zeros_like(self._sums)
        classes = self._taxonomy.ancestors
        shared = (classes[labels.flat][:, None] == classes[[*own]][None]).any(axis=1)  # bool[labels, levels]
        size = self._bits + 1
        hits = []
        for level in shared.T:
            relevant = np.zeros(len(distances), np.bool_)
            relevant[labels.owners[level]] = True
            hits.append(np.bincount(distances[relevant], minlength=size))
        return chances(np.bincount(distances, minlength=size), np.stack(hits))
