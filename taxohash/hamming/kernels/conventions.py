"""What all kernels agree on.

`words` is uint64[N * W], row-major, W = len(width): `width` is a tuple whose only meaning is
its length, so that the compiler knows W. `rows` is uint32[N], the row number at each position, or empty when row =
position. `mask` is a bitmap uint8[M], least significant bit first, of the rows that may be answered (those beyond it
may not), or empty for all. `best` is uint64[k], a max-heap of keys distance << 32 | row: comparing keys is comparing
(distance, row), so ties fall by row without another word.

`noted` is uint32[2, 1 + L], a log of the rows that came into `best` (`noted[0, 1:]`) and the positions where they lie (`noted[1, 1:]`);
`noted[0, 0]` counts them, and of more than L the last are there.

A kernel is compiled for every combination of types that it is called with, and a number that is written out is a type of its
own: what is passed on is made an int64 or a bool first (ZERO, UNORDERED), which saves seconds of compiling.
"""

from typing import Any

import numpy as np

from taxohash.runtime import kernel_cache

OPTIONS: dict[str, Any] = {**kernel_cache.OPTIONS, "boundscheck": False, "error_model": "numpy"}
# For what allocates nothing: counting references to every array at every call takes longer than comparing a few codes.
KERNEL: dict[str, Any] = {**OPTIONS, "_nrt": False}
EMPTY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # a heap slot not yet filled: farther than any code
NOWHERE = np.uint64(0xFFFF_FFFF)  # the row of a code that was removed
ZERO = np.int64(0)
UNORDERED = np.bool_(False)
SHIFT = np.uint64(32)
LOW = np.uint64(0xFFFF_FFFF)
