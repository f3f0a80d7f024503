"""A Kubeflow for the tests of this folder, and a pipeline to run there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.runners.kubeflow import following
from pipelines.runners.kubeflow.access import Access
from pipelines.runners.kubeflow.client import Kubeflow
from tests.support import two_steps
from tests.support.kubeflow import FakeKubeflow, kubeflow


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_steps.compile_to(tmp_path_factory.mktemp("package"))


@pytest.fixture
def fake() -> FakeKubeflow:
    return FakeKubeflow()


@pytest.fixture
def address(fake: FakeKubeflow) -> Iterator[str]:
    with kubeflow(fake) as url:
        yield url


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch) -> Kubeflow:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    monkeypatch.delenv("TAXOHASH_GENERATIONS", raising=False)
    return Kubeflow(Access(address, address, "taxohash"))
