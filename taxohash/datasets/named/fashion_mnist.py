"""Fashion-MNIST: 70,000 photographs of products, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017, MIT licence).

The images come from Debian's `dataset-fashion-mnist`, or from the four official IDX files in a folder or
under a URL, plain or gzipped. What is checked is the sha256 of the unpacked IDX files. They are those of the
official .gz files: Debian strips only the file name and the time from the gzip headers, and putting both back
gives the four md5 sums that the authors publish.
"""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taxohash.datasets.named.download import cached, download, unpack
from taxohash.datasets.png import encode_png
from taxohash.datasets.writer import Row, write_dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import track
from taxohash.taxonomy import Taxonomy

# In the order of the original's labels 0 ... 9. The tree is ours: things that are sold, stored and mistaken together.
TAXONOMY = Taxonomy(
    name="fashion-mnist",
    level_names=("department", "category", "product"),
    paths=(
        ("apparel", "tops", "t-shirt"),
        ("apparel", "bottoms", "trouser"),
        ("apparel", "layers", "pullover"),
        ("apparel", "dresses", "dress"),
        ("apparel", "layers", "coat"),
        ("footwear", "sandals", "sandal"),
        ("apparel", "tops", "shirt"),
        ("footwear", "shoes", "sneaker"),
        ("accessories", "bags", "bag"),
        ("footwear", "shoes", "ankle-boot"),
    ),
    source="Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), official split and order; the taxonomy is taxohash's",
    licence="MIT (c) 2017 Zalando SE",
)
_PACKAGED = Path("usr/share/datasets/fashion-mnist")
SPLITS = {"train": "train", "test": "t10k"}
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def prepare(out: Path, source: str | None = None) -> None:
    """Write the data set folder `out`.

    Args:
        out: must not exist.
        source: folder or URL with the four IDX files; Debian's package when not given.

    Raises:
        TaxohashError: a file is missing, unreadable or not the official one; `out` exists.
    """
    files = _official_files(source)
    write_dataset(out, TAXONOMY, ((split, _rows(split, files)) for split in SPLITS))


def _rows(split: str, files: dict[str, bytes]) -> Iterator[Row]:
    images = parse_idx(files[f"{SPLITS[split]}-images-idx3-ubyte"])
    labels = parse_idx(files[f"{SPLITS[split]}-labels-idx1-ubyte"])
    pairs = zip(images, labels, strict=True)
    for row, (image, label) in enumerate(track(pairs, len(images), f"writing {split}")):
        yield Row(encode_png(image), f"{split}/{row:05d}.png", int(label))


def parse_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes: two zero bytes, type 8, rank, big-endian sizes, values.

    Raises:
        ValueError: another type, or a size that does not fit.
    """
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it begins with {data[:4].hex()}")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _read(folder: Path, name: str) -> bytes:
    """The unpacked bytes of one official file, given plain or as .gz."""
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            break
    else:
        raise TaxohashError(
            f"{folder} has no {name} or {name}.gz: give a folder with the four official IDX files"
        )
    try:
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise TaxohashError(f"{file} cannot be read ({error}): remove it and fetch it again") from None
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        raise TaxohashError(
            f"{file} unpacks to sha256 {found}, not to the official {SHA256[name]}: remove it and fetch it again"
        )
    return data


def _official_files(source: str | None) -> dict[str, bytes]:
    if source is None:
        folder = cached("fashion-mnist", lambda new: unpack("dataset-fashion-mnist", _PACKAGED, new))
    elif "://" in source:
        with tempfile.TemporaryDirectory() as scratch:
            for name in track(SHA256, len(SHA256), f"downloading from {source}"):
                download(f"{source.rstrip('/')}/{name}.gz", Path(scratch) / f"{name}.gz")
            return {name: _read(Path(scratch), name) for name in SHA256}
    else:
        folder = Path(source)
    return {name: _read(folder, name) for name in SHA256}
