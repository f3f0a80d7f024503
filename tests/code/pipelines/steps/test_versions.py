"""Which data version a run is of, where it lies, and whether it is sound."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.steps import versions
from taxohash.datasets import Dataset
from tests.support.miniature import make_dataset
from tests.support.steps import refusal


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "data", train=6, test=6)


def test_the_data_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert versions.resolve("1.dir", "", "main") == "1.dir"
    assert "not named" in refusal(capsys, lambda: versions.resolve("", "", "main"))
    assert "named twice" in refusal(capsys, lambda: versions.resolve("1.dir", "https://here", "main"))


def test_a_revision_names_them(tmp_path: Path) -> None:
    (tmp_path / "data.dvc").write_text(f"outs:\n- md5: {'1' * 32}.dir\n  path: data\n")
    for words in (["init", "--quiet"], ["add", "data.dvc"], ["commit", "--quiet", "-m", "data"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)
    assert versions.resolve("", str(tmp_path), "HEAD") == f"{'1' * 32}.dir"


def test_a_folder_has_to_hold_the_version(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(data.folder)
    assert versions.pull(data.md5(), folder, "", str(tmp_path)) == folder
    said = refusal(capsys, lambda: versions.pull("1.dir", folder, "", str(tmp_path)))
    assert f"has md5 {data.md5()}, not 1.dir: give the folder of that version" in said
    said = refusal(capsys, lambda: versions.pull(data.md5(), "", "", str(tmp_path)))
    assert "no remote is named" in said


def test_splits_that_cannot_be_indexed_are_refused_before_anything_is_trained(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(data.folder / "test.parquet", data.folder / "canary.parquet")
    folder = str(data.folder)
    versions.check(folder)
    versions.check(folder, "train")
    for splits, said in [("canary", "'canary' is never indexed"), ("train,val", "no split 'val'")]:
        assert said in refusal(capsys, lambda splits=splits: versions.check(folder, splits))  # type: ignore[misc]


def test_data_that_are_not_sound_are_refused(data: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    file = data.folder / "test.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    assert "is not sound" in refusal(capsys, lambda: versions.check(str(data.folder)))
