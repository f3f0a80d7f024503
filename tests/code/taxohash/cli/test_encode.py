"""Files are encoded alike by a run and by the generation made of it."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from taxohash.cli.encode import encode_data, encode_files
from taxohash.cli.main import app
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.release.export import export
from taxohash.release.shards import WHOLE
from taxohash.training.run import Run


def test_files_are_encoded_alike_by_run_and_generation(run: Run, data: Dataset, tmp_path: Path) -> None:
    folder = export(run.folder, tmp_path / "generations")
    files = []
    for row, image in enumerate(data.images("test", [0, 1, 2])):
        files.append(tmp_path / f"{row}.png")
        files[-1].write_bytes(image)
    assert np.array_equal(encode_files(run.folder, files), encode_files(folder, files))
    files[1].write_bytes(b"nothing")
    with pytest.raises(TaxohashError, match=r"1\.png: image of 7 bytes cannot be decoded"):
        encode_files(folder, files)
    with pytest.raises(TaxohashError, match="cannot be read"):
        encode_files(folder, [tmp_path / "none.png"])


def test_the_name_of_a_file_stays_on_its_line(run: Run, data: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "line\nbreak [red].png"
    file.write_bytes(next(iter(data.images("test", [0]))))
    done = CliRunner().invoke(app, ["encode", str(run.folder), str(file)], catch_exceptions=False)
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.endswith("line\\nbreak [red].png\n")


def test_a_data_set_is_encoded_whole_or_in_shards(run: Run, data: Dataset, tmp_path: Path) -> None:
    folder, runner = export(run.folder, tmp_path / "generations"), CliRunner()

    def encoded(name: str, *options: str) -> list[list[int]]:
        words = ["encode", str(folder), "--data", str(data.folder), "--out", str(tmp_path / name), *options]
        done = runner.invoke(app, words, catch_exceptions=False)
        found: list[list[int]] = np.load(tmp_path / name).tolist()
        assert done.stdout == f"{tmp_path / name}: {len(found)} codes\n"
        return found

    whole = encoded("whole.npy")
    assert np.array_equal(whole, Hasher(folder).codes)
    assert encoded("1.npy", "--shard", "1/2") + encoded("2.npy", "--shard", "2/2") == whole
    assert encoded("test.npy", "--splits", "test") == whole[240:]


def test_pictures_or_a_data_set_are_encoded_not_both_and_not_neither(tmp_path: Path) -> None:
    for words in (
        [],
        ["picture.png", "--data", "."],
        ["picture.png", "--shard", "3/16"],
        ["picture.png", "--splits", "test"],
        ["--data", "."],
        ["--out", "codes.npy"],
    ):
        done = CliRunner().invoke(app, ["encode", str(tmp_path), *words])
        assert isinstance(done.exception, TaxohashError)
        assert "encode takes pictures, or --data with --out" in str(done.exception)


def test_what_cannot_encode_a_data_set_or_be_written_is_said_before_anything_is_encoded(
    run: Run, data: Dataset, tmp_path: Path
) -> None:
    folder = export(run.folder, tmp_path / "generations")
    (tmp_path / "file").touch()
    for source, out, said in (
        (
            run.folder,
            "codes.npy",
            "holds no exported hasher: give a generation, which `taxohash export` makes",
        ),
        (tmp_path / "nowhere", "codes.npy", "nowhere holds no exported hasher"),
        (folder, ".", "is a folder: name a file"),
        (folder, "file/codes.npy", "cannot be written"),
        (folder, data.folder / "not looked at" / "codes.npy", "lies inside the data set"),
    ):
        with pytest.raises(TaxohashError, match=said):
            encode_data(source, data.folder / "not looked at", (), tmp_path / out, WHOLE)
