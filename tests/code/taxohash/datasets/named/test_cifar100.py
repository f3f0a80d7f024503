"""A miniature of the official archive, as a file and under a URL; what is not official is never read."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from taxohash.datasets.named import cifar100, prepare
from taxohash.errors import TaxohashError
from taxohash.images import Preprocessing
from tests.support.files_over_http import files_over_http

COARSE = ("fish", "trees", "people")
FINE = ("oak_tree", "trout", "baby", "shark", "palm_tree", "girl")
OWNER = np.array([1, 0, 2, 0, 1, 2], np.uint8)
COUNTS = {"train": 12, "test": 6}
RGB = Preprocessing(32, 3, "pad", (0.0,) * 3, (1.0,) * 3)


def images(split: str) -> npt.NDArray[np.uint8]:
    """uint8[N, 3, 32, 32]."""
    return np.random.default_rng(COUNTS[split]).integers(0, 256, (COUNTS[split], 3, 32, 32), np.uint8)


def records(split: str) -> npt.NDArray[np.uint8]:
    """uint8[N, 3074]: superclass, class, planes."""
    planes = images(split).reshape(COUNTS[split], -1)
    fine = np.arange(COUNTS[split], dtype=np.uint8)[:, None] % len(FINE)
    return np.hstack([OWNER[fine], fine, planes])


def contents() -> dict[str, bytes]:
    names = {"coarse_label_names.txt": COARSE, "fine_label_names.txt": FINE}
    return {
        **{f"cifar-100-binary/{split}.bin": records(split).tobytes() for split in COUNTS},
        **{f"cifar-100-binary/{name}": ("\n".join(lines) + "\n").encode() for name, lines in names.items()},
    }


def pack(file: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    """Write an archive; a TarInfo stands for a member that is no plain file."""
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def make_official(monkeypatch: pytest.MonkeyPatch, file: Path) -> str:
    monkeypatch.setattr(cifar100, "MD5", hashlib.md5(file.read_bytes()).hexdigest())
    return str(file)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    others = {"../outside.bin": b"outside", "cifar-100-binary/readme.html": b"read me"}
    (tmp_path / "archive").mkdir()
    return make_official(monkeypatch, pack(tmp_path / "archive" / cifar100.ARCHIVE, others | contents()))


def test_the_archive_becomes_a_data_set(source: str, tmp_path: Path) -> None:
    dataset = prepare("cifar100", tmp_path / "out", source)
    assert dataset.splits == ("train", "test")
    assert dataset.taxonomy.name == "cifar100"
    assert dataset.taxonomy.levels == ("superclass", "class")
    assert dataset.taxonomy.paths == tuple((COARSE[OWNER[fine]], name) for fine, name in enumerate(FINE))
    for split, count in COUNTS.items():
        assert dataset.labels(split).tolist() == [row % len(FINE) for row in range(count)]
        assert dataset.paths(split) == [f"{split}/{row:05d}.png" for row in range(count)]
        assert np.array_equal(dataset.pixels(split, RGB), images(split))
    assert not (tmp_path / "outside.bin").exists()


def test_a_url_gives_the_same_bytes(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = prepare("cifar100", tmp_path / "file", source).md5()
    with files_over_http(Path(source).parent) as address:
        url = f"{address}/{cifar100.ARCHIVE}"
        assert prepare("cifar100", tmp_path / "url", url).md5() == wanted
        monkeypatch.setattr(cifar100, "URL", url)
        assert prepare("cifar100", tmp_path / "official").md5() == wanted
        with pytest.raises(TaxohashError, match="cannot be downloaded"):
            prepare("cifar100", tmp_path / "none", f"{address}/none.tar.gz")


def test_another_archive_is_refused_unread(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = cifar100.MD5
    Path(source).write_bytes(Path(source).read_bytes() + b"\0")
    found = hashlib.md5(Path(source).read_bytes()).hexdigest()
    monkeypatch.setattr(cifar100, "_read", lambda stream: pytest.fail("it was read"))
    with pytest.raises(TaxohashError, match=f"has md5 {found}, not the official {official}"):
        prepare("cifar100", tmp_path / "out", source)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["", "none.tar.gz"])
def test_what_is_no_file_is_one_line(tmp_path: Path, source: str) -> None:
    with pytest.raises(TaxohashError, match=r"cannot be read .*: give cifar-100-binary\.tar\.gz"):
        prepare("cifar100", tmp_path / "out", str(tmp_path / source))


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("cifar-100-binary/test.bin")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cifar-100-binary/test.bin": link()}, r"test\.bin .* is no file of at most"),
        ({"cifar-100-binary/fine_label_names.txt": b"x" * (1 << 17)}, "is no file of at most 65536 bytes"),
        ({"cifar-100-binary/test.bin": None}, r"has no cifar-100-binary/test\.bin"),
        ({"cifar-100-binary/fine_label_names.txt": b"oak_tree trout baby shark palm_tree girl boy"}, "boy in 0"),
    ],
    ids=("link", "large", "missing", "unseen"),
)  # fmt: skip
def test_a_spoilt_archive_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, bytes | tarfile.TarInfo | None],
    message: str,
) -> None:
    members = {name: content for name, content in (contents() | change).items() if content is not None}
    source = make_official(monkeypatch, pack(tmp_path / "spoilt.tar.gz", members))
    with pytest.raises(TaxohashError, match=message):
        prepare("cifar100", tmp_path / "out", source)
    assert not (tmp_path / "out").exists()


def test_bytes_that_are_no_archive_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = pack(tmp_path / "good.tar.gz", contents()).read_bytes()
    for bad in (b"no archive", good[:-2000], b""):
        (tmp_path / "bad.tar.gz").write_bytes(bad)
        source = make_official(monkeypatch, tmp_path / "bad.tar.gz")
        with pytest.raises(TaxohashError, match="cannot be read"):
            prepare("cifar100", tmp_path / "out", source)


def test_a_class_of_two_superclasses_is_refused() -> None:
    labels = np.array([[0, 0], [1, 1], [1, 0]], np.uint8)
    with pytest.raises(TaxohashError, match="images of trout in 2 superclasses"):
        cifar100.paths(labels, ["fish", "trees"], ["trout", "oak_tree"])
