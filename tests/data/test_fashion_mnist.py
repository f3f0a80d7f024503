"""The real set, from its publisher to what data.dvc names."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.data import tracked_md5
from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.named import prepare
from taxohash.errors import TaxohashError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The set made anew, from a download of its own."""
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get here to download dataset-fashion-mnist with")
    folder = tmp_path_factory.mktemp("fashion-mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAXOHASH_CACHE", str(folder / "cache"))
        try:
            return prepare("fashion-mnist", folder / "data")
        except TaxohashError as error:
            if "cannot be downloaded" not in str(error):
                raise
            pytest.skip(str(error))


def test_it_is_byte_for_byte_what_data_dvc_names(prepared: Dataset) -> None:
    assert prepared.md5() == tracked_md5(ROOT / "data.dvc")


def test_it_is_sound_and_balanced(prepared: Dataset) -> None:
    result = check(prepared.folder, progress=False)
    assert result.findings == []
    assert result.images == {"train": 60_000, "test": 10_000}
    assert np.array_equal(result.counts["train"], np.full(10, 6_000))
    assert np.array_equal(result.counts["test"], np.full(10, 1_000))
