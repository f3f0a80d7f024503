"""Allowed-sets that go along with the changes of an index, at the cost of what has changed."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.centres import NO_MASK
from taxohash.hamming.kernels.conventions import NOWHERE
from taxohash.hamming.layouts import Flat
from taxohash.hamming.selection import Scope, Selection
from taxohash.hamming.versions import Version
from taxohash.hamming.words import Rows

Flags = npt.NDArray[np.bool_]
Belongs = Callable[[Rows | slice], Flags]
"""Which of some rows are allowed: bool[n] for rows int64[n], or for a slice of all."""


class Following:
    """An allowed-set of one moment of an index, made by `Moment.follow` from that of an earlier one.

    It rests on a rule: a row belongs, or does not, from one time it is put until the next. Who changes what a row is
    puts it again, if with the same code. Then what was found of the codes in the base holds until there is a new
    base, what was found of the tail holds as long as the tail grows, and only what was put since is asked for.

    Attributes:
        index: what stands for the index that made it.
        changes: of the moment.
        count: rows that are allowed, or more: some of them may be removed.
    """

    def __init__(self, version: Version, index: object, before: "Following | None", belongs: Belongs) -> None:
        self.index, self.changes = index, version.changes
        self._layout = version.base
        self._base: Selection
        if before is not None and before._leads_to(version):
            self._base, known = before._base, before._known
        else:
            self._base = Selection(belongs(slice(0, version.end)), version.end, index)
            known = np.empty(0, np.bool_)
        rows = version.tail.rows[len(known) : len(version.tail)]
        more = rows != NOWHERE
        more[more] = belongs(rows[more].astype(np.int64))
        self._known: Flags = np.concatenate([known, more])  # of the codes in the tail
        self.count = self._base.count + int(np.count_nonzero(self._known))

    def scope(self, version: Version) -> Scope:
        """Where a search of `version` looks.

        Raises:
            TaxohashError: it is another moment's.
        """
        if not self.is_of(version):
            raise TaxohashError("the selection follows another moment of the index: follow this one")
        tail = version.tail
        rows = np.where(self._known, tail.rows[: len(tail)], np.uint32(NOWHERE))
        return self._base.scope(version)._replace(
            tail=Flat(tail.bits, tail.codes, rows, len(tail)), tail_mask=NO_MASK
        )

    def is_of(self, version: Version) -> bool:
        """Whether it is of the moment that has this version."""
        return version.changes == self.changes and version.base is self._layout

    @property
    def nbytes(self) -> int:
        """Of its bitmaps and of the codes that it keeps."""
        return self._base.nbytes + self._known.nbytes

    def _leads_to(self, version: Version) -> bool:
        return self._layout is version.base and self.changes <= version.changes
