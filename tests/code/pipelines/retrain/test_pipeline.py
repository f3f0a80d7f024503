"""The compiled pipeline: what runs in a cluster is what the source says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.retrain import pipeline
from taxohash.runtime.configuration import parse
from taxohash.training.config import HasherConfig

STEPS = {"check-config", "check-data", "check-ahead", "train", "evaluate", "gate"}
PUBLISHING = {"export", "index", "backfill", "publish", "collect"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pipeline.compile_to(tmp_path_factory.mktemp("compiled") / "retrain.yaml")


@pytest.fixture(scope="module")
def documents(compiled: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    spec, platform = yaml.safe_load_all(compiled.read_text())
    return spec, platform


def test_the_golden_is_up_to_date(compiled: Path) -> None:
    assert compiled.read_text() == pipeline.COMPILED.read_text(), "renew it: python -m pipelines.retrain"


def test_data_configuration_and_image_are_parameters(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    parameters = documents[0]["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == {
        *("dataset_md5", "config", "image", "data", "work", "generations", "collection", "splits"),
        "publish_seconds",
    }
    assert "isOptional" not in parameters["dataset_md5"]
    assert parse(HasherConfig, parameters["config"]["defaultValue"]) == HasherConfig()
    assert not any("redis" in name or "password" in name for name in parameters)


def test_only_a_passed_gate_publishes(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    spec = documents[0]
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) >= STEPS
    assert not set(tasks) & PUBLISHING
    branches = {name: c["dag"]["tasks"] for name, c in spec["components"].items() if "dag" in c}
    assert any(set(found) == PUBLISHING for found in branches.values())
    assert any(set(found) == {"refuse"} for found in branches.values())


def test_steps_that_look_outside_are_never_cached(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    spec = documents[0]
    dags = [spec["root"]["dag"], *(c["dag"] for c in spec["components"].values() if "dag" in c)]
    cached = {
        name
        for dag in dags
        for name, task in dag["tasks"].items()
        if task.get("cachingOptions", {}).get("enableCache") and not name.startswith("condition")
    }
    assert cached == {"check-config", "check-data", "train", "evaluate"}
    for name in cached - {"check-config"}:
        assert "dataset_md5" in spec["root"]["dag"]["tasks"][name]["inputs"]["parameters"]


def test_training_sees_the_configuration_in_its_one_form(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    inputs = documents[0]["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]
    assert inputs["config"]["taskOutputParameter"]["producerTask"] == "check-config"


def test_nothing_is_trained_before_what_lies_ahead_is_checked(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    tasks = documents[0]["root"]["dag"]["tasks"]
    assert "check-ahead" in tasks["train"]["dependentTasks"]
    assert set(tasks["check-ahead"]["dependentTasks"]) == {"check-config", "check-data"}


def test_every_step_has_volume_and_addresses(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    spec, platform = documents
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == set(spec["deploymentSpec"]["executors"])
    for executor in executors.values():
        assert executor["pvcMount"][0]["mountPath"] == pipeline.MOUNT
        variables = {pair["envVar"] for secret in executor["secretAsEnv"] for pair in secret["keyToEnv"]}
        assert variables >= {"TAXOHASH_REDIS_URL", "TAXOHASH_PICTURES", "TAXOHASH_GENERATIONS"}
