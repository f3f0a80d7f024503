"""One file for arrays that can be memory-mapped: a JSON header, then each array at a cache line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.words import LINE_BYTES, aligned_bytes
from taxohash.runtime.atomic import replacing

MAGIC = b"TAXOHAM3"  # 3: the middle of each cell is bit-sliced

Array = npt.NDArray[Any]


def write_arrays(path: Path, header: Mapping[str, object], arrays: Mapping[str, Array]) -> None:
    """Write `header` and `arrays` to `path`, whole or not at all."""
    entries, offset = {}, 0
    for name, array in arrays.items():
        entries[name] = {"dtype": array.dtype.str, "shape": list(array.shape), "offset": offset}
        offset += -(-array.nbytes // LINE_BYTES) * LINE_BYTES
    text = json.dumps({**header, "arrays": entries, "bytes": offset}).encode()
    start = -(-(len(MAGIC) + 8 + len(text)) // LINE_BYTES) * LINE_BYTES
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(MAGIC + len(text).to_bytes(8, "little") + text)
        for name, array in arrays.items():
            file.seek(start + entries[name]["offset"])  # type: ignore[operator]
            file.write(np.ascontiguousarray(array).data)
        file.truncate(start + offset)


def read_arrays(path: Path, mmap: bool) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of `path`; with `mmap` the arrays are views of the file (writes stay private).

    Raises:
        TaxohashError: no such file, not an index file, or a truncated one.
    """
    try:
        with path.open("rb") as file:
            lead = file.read(len(MAGIC) + 8)
            length = int.from_bytes(lead[len(MAGIC) :], "little")
            size = path.stat().st_size
            if lead[: len(MAGIC)] != MAGIC or length > size:
                raise TaxohashError(
                    f"{path} is no Hamming index: pass a file that this version of HammingIndex.save wrote"
                )
            header = json.loads(file.read(length))
    except OSError as error:
        raise TaxohashError(f"cannot read the index {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise TaxohashError(f"the header of the index {path} is damaged: save it again") from error
    start = -(-(len(lead) + length) // LINE_BYTES) * LINE_BYTES
    if size != start + header["bytes"]:
        raise TaxohashError(
            f"the index {path} has {size} bytes, not {start + header['bytes']}: save it again"
        )
    data = np.memmap(path, dtype=np.uint8, mode="c") if mmap else _read(path, size)
    arrays = {}
    for name, entry in header.pop("arrays").items():
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        first = start + entry["offset"]
        last = first + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.asarray(data[first:last]).view(dtype).reshape(shape)
    return header, arrays


def _read(path: Path, size: int) -> Array:
    """The first `size` bytes of a file, uint8[size], where a cache line begins."""
    data = aligned_bytes(size)
    with path.open("rb") as file:
        file.readinto(data.data)
    return data
