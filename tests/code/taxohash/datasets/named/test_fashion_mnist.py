import gzip
import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from taxohash.datasets import Dataset
from taxohash.datasets.named import fashion_mnist, prepare
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing
from tests.support.files_over_http import files_over_http

COUNTS = {"train": 20, "t10k": 10}


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A miniature of the four files: one label after the other, the first pixels equal to the row."""
    folder = tmp_path / "idx"
    folder.mkdir()
    sums = {}
    for part, count in COUNTS.items():
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        images[:, 0, 0] = np.arange(count)
        labels = np.arange(count, dtype=np.uint8) % 10
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            sums[name] = hashlib.sha256(idx(array)).hexdigest()
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    monkeypatch.setattr(fashion_mnist, "SHA256", sums)
    return folder


@pytest.fixture
def served(source: Path) -> Iterator[str]:
    with files_over_http(source) as address:
        yield address


def test_a_folder_becomes_a_data_set(source: Path, tmp_path: Path) -> None:
    dataset = prepare("fashion-mnist", tmp_path / "out", str(source))
    assert dataset.splits == ("train", "test")
    assert dataset.taxonomy.paths[9] == ("footwear", "shoes", "ankle-boot")
    assert dataset.taxonomy.depth == 3
    for split, count in {"train": 20, "test": 10}.items():
        assert dataset.labels(split).tolist() == [row % 10 for row in range(count)]
        pixels = dataset.pixels(split, Preprocessing(28, 1, "pad", (0.0,), (1.0,)))
        assert pixels.shape == (count, 1, 28, 28)
        assert pixels[:, 0, 0, 0].tolist() == list(range(count))


def test_plain_files_a_url_and_gzip_give_the_same_bytes(source: Path, served: str, tmp_path: Path) -> None:
    zipped = prepare("fashion-mnist", tmp_path / "zipped", str(source)).md5()
    assert prepare("fashion-mnist", tmp_path / "url", served + "/").md5() == zipped
    for file in list(source.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert prepare("fashion-mnist", tmp_path / "plain", str(source)).md5() == zipped


def test_other_bytes_are_refused(source: Path, tmp_path: Path) -> None:
    file = source / "train-labels-idx1-ubyte.gz"
    good = file.read_bytes()
    for wrong, message in (
        (gzip.compress(b"something else"), "not to the official"),
        (good[:-9], "cannot be read"),
        (b"not gzip", "cannot be read"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(TaxohashError, match=message):
            prepare("fashion-mnist", tmp_path / "out", str(source))
    file.unlink()
    with pytest.raises(TaxohashError, match="has no train-labels-idx1-ubyte or"):
        prepare("fashion-mnist", tmp_path / "out", str(source))
    assert not (tmp_path / "out").exists()


def test_a_dead_address_is_one_line(served: str, tmp_path: Path) -> None:
    for url in (served + "/none", "http://127.0.0.1:1", "http://127.0.0.1:port", "nothing://x"):
        with pytest.raises(TaxohashError, match="cannot be downloaded"):
            prepare("fashion-mnist", tmp_path / "out", url)
    assert not (tmp_path / "out").exists()


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="choose one of fashion-mnist"):
        prepare("fashion", tmp_path / "out")


@pytest.mark.parametrize("data", [b"", b"\0\0\x0d\x01", b"\0\0\x08\x01\0\0\0\x05abc"])
def test_what_is_no_idx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"IDX|reshape|buffer"):
        fashion_mnist.parse_idx(data)


def test_a_prepared_set_opens_by_its_folder(source: Path, tmp_path: Path) -> None:
    prepare("fashion-mnist", tmp_path / "out", str(source))
    assert Dataset.open(tmp_path / "out").taxonomy == fashion_mnist.TAXONOMY
