"""What is absent is told with the command that makes it."""

import re
from pathlib import Path

import pytest

from benchmarks.common.places import CIFAR100, FASHION_MNIST, FEATURES, RESULTS, data_set
from taxohash.errors import TaxohashError


def test_results_and_defaults_lie_in_the_repository() -> None:
    assert (RESULTS / "methods.json").is_file()
    for folder in (CIFAR100, FASHION_MNIST, FEATURES):
        assert not folder.is_absolute()
        assert ".." not in folder.parts


def test_an_absent_data_set_names_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, command in (
        (CIFAR100, "`taxohash data prepare cifar100 .cache/data/cifar100`"),
        (FASHION_MNIST, "`taxohash data prepare fashion-mnist data`"),
        (Path("elsewhere"), "`taxohash data prepare NAME elsewhere`"),
    ):
        with pytest.raises(TaxohashError, match=re.escape(command)):
            data_set(folder)
    assert data_set(tmp_path) == tmp_path
