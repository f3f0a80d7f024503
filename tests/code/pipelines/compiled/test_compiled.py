"""The compiled pipelines are those of the source, in both forms."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import compiled


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    # Apart, where coverage does not follow every line that writes YAML.
    command = [sys.executable, "-m", "pipelines.compiled", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


def test_the_goldens_are_up_to_date(written: Path) -> None:
    golden = {file.name for file in compiled.FOLDER.glob("*.yaml")}
    assert golden == {file.name for file in written.iterdir()}
    for file in written.iterdir():
        assert file.read_text() == (compiled.FOLDER / file.name).read_text(), (
            "renew it: python -m pipelines.compiled"
        )


@pytest.mark.parametrize("name", compiled.NAMES)
def test_the_objects_hold_the_same_pipeline(written: Path, name: str) -> None:
    spec, platform = documents(written / f"{name}.yaml")
    pipeline, version = documents(written / f"{name}-kubernetes.yaml")
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    assert {own["apiVersion"] for own in (pipeline, version)} == {"pipelines.kubeflow.org/v2beta1"}
    assert pipeline["metadata"]["name"] == version["spec"]["pipelineName"] == f"taxohash-{name}"
    assert version["spec"]["pipelineSpec"] == spec
    assert version["spec"]["platformSpec"] == platform


@pytest.mark.parametrize("name", compiled.NAMES)
def test_a_version_is_named_by_its_content(written: Path, name: str) -> None:
    """It never changes in a cluster: Kubeflow refuses that."""
    digest = hashlib.sha256((written / f"{name}.yaml").read_bytes()).hexdigest()
    version = documents(written / f"{name}-kubernetes.yaml")[1]
    assert version["metadata"]["name"] == f"taxohash-{name}-{digest[:12]}"
