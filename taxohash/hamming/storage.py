"""One file for arrays that can be memory-mapped: a JSON header, then each array at a cache line."""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.hamming.words import LINE_BYTES, aligned_bytes
from taxohash.runtime.atomic import replacing

MAGIC = b"TAXOHAM4"  # 4: checksums of the header and of each array
_LEAD = struct.Struct("<8sQI")  # magic, length and CRC-32 of the header
_KINDS = frozenset({"<u8", "<u4", "<i8", "|u1"})

Array = npt.NDArray[Any]


def write_arrays(path: Path, header: Mapping[str, object], arrays: Mapping[str, Array]) -> None:
    """Write `header` and `arrays` to `path`, whole or not at all."""
    entries, offset = {}, 0
    data = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    for name, array in data.items():
        entries[name] = {
            "dtype": array.dtype.str, "shape": list(array.shape), "offset": offset, "crc32": _crc32(array),
        }  # fmt: skip
        offset += _padded(array.nbytes)
    text = json.dumps({**header, "arrays": entries, "bytes": offset}).encode()
    start = _padded(_LEAD.size + len(text))
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(_LEAD.pack(MAGIC, len(text), zlib.crc32(text)) + text)
        for name, array in data.items():
            file.seek(start + int(str(entries[name]["offset"])))
            file.write(array.data)
        file.truncate(start + offset)


def read_arrays(path: Path, mmap: bool) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of `path`, whose checksums are compared; with `mmap` the arrays are views of the file
    (writes stay private).

    Raises:
        TaxohashError: no such file, not an index file, or a truncated or damaged one.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            lead = file.read(_LEAD.size)
            if len(lead) < _LEAD.size or not lead.startswith(MAGIC):
                raise TaxohashError(
                    f"{path} is no Hamming index: pass a file that this version of HammingIndex.save wrote"
                )
            _, length, checksum = _LEAD.unpack(lead)
            text = file.read(min(length, size))
    except OSError as error:
        raise TaxohashError(f"index {path} cannot be read ({error.strerror}): pass a file") from None
    if zlib.crc32(text) != checksum:
        raise damaged(path, "its header does not have its checksum")
    try:
        header = json.loads(text)
        start, entries = _padded(len(lead) + length), header.pop("arrays")
        if size != start + header.pop("bytes"):
            raise damaged(path, f"it has {size} bytes")
        data = np.memmap(path, dtype=np.uint8, mode="c") if mmap else _read(path, size)
        return header, {name: _array(path, data[start:], name, entry) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(path, f"its header says {error}") from None


def damaged(path: Path, reason: str) -> TaxohashError:
    """What to raise of an index file that is not as it was written."""
    return TaxohashError(f"index {path} is damaged or truncated ({reason}): save it again")


def _array(path: Path, data: Array, name: str, entry: Mapping[str, Any]) -> Array:
    """An array of the file, of whose bytes after the header `data` are all."""
    kind, shape, first = entry["dtype"], entry["shape"], entry["offset"]
    if kind not in _KINDS or not all(type(length) is int and length >= 0 for length in (*shape, first)):
        raise ValueError(f"{name} of {kind}{shape} at {first}")
    size = math.prod(shape) * np.dtype(kind).itemsize
    if first % LINE_BYTES or first + size > data.size:
        raise ValueError(f"{name} of {kind}{shape} at {first}")
    array = np.asarray(data[first : first + size])
    if _crc32(array) != entry["crc32"]:
        raise damaged(path, f"{name} do not have their checksum")
    shaped: Array = array.view(kind).reshape(shape)
    return shaped


def _crc32(array: Array) -> int:
    return zlib.crc32(array.data) if array.size else 0


def _padded(size: int) -> int:
    return -(-size // LINE_BYTES) * LINE_BYTES


def _read(path: Path, size: int) -> Array:
    """The first `size` bytes of a file, uint8[size], where a cache line begins."""
    data = aligned_bytes(size)
    with path.open("rb") as file:
        file.readinto(data.data)
    return data
