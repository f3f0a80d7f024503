"""One file for arrays that can be memory-mapped: a JSON header, then each array at a cache line."""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.hamming.words import LINE_BYTES, aligned_bytes
from taxohash.runtime.atomic import replacing
from taxohash.runtime.configuration import Series, configuration, plain, read

MAGIC = b"TAXOHAM5"  # 5: blocks of sliced codes lie in bands
_LEAD = struct.Struct("<8sQI")  # magic, length and CRC-32 of the header

Array = npt.NDArray[Any]
Size = Annotated[int, Field(ge=0, lt=2**63)]


@configuration
class Place:
    """Where an array lies behind the header, and what it is."""

    dtype: Literal["<u8", "<u4", "<i8", "|u1"]
    shape: Series[Size]
    offset: Size
    crc32: Size


def write_arrays(path: Path, header: Mapping[str, object], arrays: Mapping[str, Array]) -> None:
    """Write `header` and `arrays` to `path`, whole or not at all."""
    places, offset = dict[str, Place](), 0
    data = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in data.items():
        kind: Any = array.dtype.str
        places[name] = Place(dtype=kind, shape=array.shape, offset=offset, crc32=_crc32(array))
        offset += _padded(array.nbytes)
    entries = {name: plain(place) for name, place in places.items()}
    text = json.dumps({**header, "arrays": entries, "bytes": offset}).encode()
    start = _padded(_LEAD.size + len(text))
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(_LEAD.pack(MAGIC, len(text), zlib.crc32(text)) + text)
        for name, array in data.items():
            file.seek(start + places[name].offset)
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
            raise ValueError(f"it has {size} bytes")
        data = np.memmap(path, dtype=np.uint8, mode="c") if mmap else _read(path, size)
        return header, {name: _array(data[start:], name, entry) for name, entry in entries.items()}
    except KeyError as error:
        raise damaged(path, f"its header lacks {error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, str(error)) from None


def damaged(path: Path, reason: str) -> TaxohashError:
    """What to raise of an index file that is not as it was written."""
    return TaxohashError(f"index {path} is damaged or truncated ({reason}): save it again")


def _array(data: Array, name: str, entry: Any) -> Array:
    """An array of the file, of whose bytes after the header `data` are all."""
    place = read(Place, entry)
    size, last = math.prod(place.shape) * np.dtype(place.dtype).itemsize, data.size
    if place.offset % LINE_BYTES or place.offset + size > last:
        raise ValueError(f"array {name!r} of {size} bytes begins at byte {place.offset} of {last}")
    array = np.asarray(data[place.offset : place.offset + size])
    if _crc32(array) != place.crc32:
        raise ValueError(f"array {name!r} does not have its checksum")
    shaped: Array = array.view(place.dtype).reshape(place.shape)
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
