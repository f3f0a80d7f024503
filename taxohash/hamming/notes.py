"""Where the answers to a search by weights lie, as its kernels have noted it: what else is asked of their codes needs no other search."""

import numpy as np
import numpy.typing as npt

from taxohash.hamming.words import Rows

Noted = npt.NDArray[np.uint32]  # [Q, 2, 1 + L], see kernels.conventions

FEWEST = 1024  # of millions of codes some hundred come among the ten nearest so far
EACH = 4  # of many answers as many more


def room(queries: int, most: int) -> Noted:
    """Room for what comes among the `most` nearest so far of some queries, of each of them; for 0 none that is of use."""
    made = np.empty((queries, 2, 1 + (max(FEWEST, EACH * most) if most else 1)), np.uint32)
    made[:, 0, 0] = 0
    return made


def positions(noted: Noted, rows: Rows) -> Rows:
    """Where rows int64[n] lie, of one query: int64[n], -1 where it is not known.

    Args:
        noted: uint32[2, 1 + L].
    """
    length = min(int(noted[0, 0]), noted.shape[1] - 1)
    known, where = noted[0, 1 : 1 + length], noted[1, 1 : 1 + length]
    if not length:
        return np.full(len(rows), -1)
    order = np.argsort(known, kind="stable")
    at = order[np.minimum(np.searchsorted(known, rows, sorter=order), length - 1)]
    return np.where(known[at] == rows, where[at].astype(np.int64), -1)
