"""The compiled pipelines are those of the source, in both forms."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import compiled
from pipelines.shared.placement import Placement
from taxohash.runtime.configuration import read


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    compiled.write(folder)
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


def test_another_content_is_another_version(written: Path, tmp_path: Path) -> None:
    """A PipelineVersion never changes: Kubeflow refuses it."""
    (tmp_path / "reindex.yaml").write_text("another\n")
    other = documents(compiled.write_objects(tmp_path / "reindex.yaml"))[1]
    assert other["metadata"]["name"] != documents(written / "reindex-kubernetes.yaml")[1]["metadata"]["name"]


def test_another_placement_is_another_package(tmp_path: Path) -> None:
    placement = read(Placement, {"queue": "night"})
    spec, platform = documents(compiled.write_package("reindex", tmp_path / "reindex.yaml", placement))
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors.keys() == spec["deploymentSpec"]["executors"].keys()
    for executor in executors.values():
        assert executor["podMetadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "night"
