"""One trained and evaluated run of the miniature set, for all that read one."""

import pytest

from taxohash.datasets import Dataset
from taxohash.evaluation.run import evaluate_run
from taxohash.training.run import Run, train
from tests.support.miniature import HASHER, make_dataset


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("set") / "data")


@pytest.fixture(scope="session")
def run(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = train(data.folder, tmp_path_factory.mktemp("run"), HASHER)
    evaluate_run(made.folder)
    return made
