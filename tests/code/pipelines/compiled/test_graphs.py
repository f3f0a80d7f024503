"""The graphs of the compiled pipelines: what follows what, what is cached, and what every step has."""

import itertools
from typing import Any

import pytest
import yaml

from pipelines.compiled import NAMES, package
from pipelines.runners.parameters import DRIFT, REINDEX, RETRAIN, SWEEP
from pipelines.shared.placement import EVENTS, MOUNT
from pipelines.sweep.steps import ROUNDS
from taxohash.runtime.configuration import parse
from taxohash.training.config import HasherConfig

Documents = tuple[dict[str, Any], dict[str, Any]]
SHARED = {"dataset_md5", "repository", "revision", "data", "remote", "run", "policy", "image", "work"}
SHARED |= {"generations", "collection", "splits", "shards", "publish_seconds"}
OF_SWEEP = {"dataset_md5", "repository", "revision", "data", "remote", "run", "image", "work", "generations"}
OF_SWEEP |= {"collection", "config", "search", "trials", "metric", "seed"}
OF_DRIFT = {"run", "policy", "image", "work", "generations", "collection"}
CACHED = {
    "retrain": {
        "check-config",
        "check-data",
        "train",
        "evaluate",
        "compare",
        "gate",
        "export",
        "plan",
        "encode",
    },
    "reindex": {"check-data", "compare", "borrow", "plan", "encode"},
    "sweep": {"check-data", "check-sweep", "ask", "trial"},
}
ENDINGS = [{"wait-for-approval"}, {"publish", "collect"}, {"refuse"}]


@pytest.fixture(params=[RETRAIN, REINDEX])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def documents(name: str) -> Documents:
    spec, platform = yaml.load_all(package(name).read_text(), Loader=yaml.CSafeLoader)
    return spec, platform


def dags(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of each part of a graph, by their names."""
    return [c["dag"]["tasks"] for c in (spec["root"], *spec["components"].values()) if "dag" in c]


def tasks(spec: dict[str, Any]) -> dict[str, Any]:
    """All that is a step."""
    inner = ("exit-handler", "condition", "for-loop")
    return {name: task for dag in dags(spec) for name, task in dag.items() if not name.startswith(inner)}


def test_data_policy_and_image_are_parameters_and_no_address_with_a_password_is(
    documents: Documents, name: str
) -> None:
    parameters = documents[0]["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == SHARED | ({"config"} if name == "retrain" else set())
    assert all("defaultValue" in parameter for parameter in parameters.values())
    if name == "retrain":
        assert parse(HasherConfig, parameters["config"]["defaultValue"]) == HasherConfig()
    assert not any("redis" in parameter or "password" in parameter for parameter in parameters)


def test_a_run_ends_in_one_of_three_ways_and_its_end_is_recorded_whatever_happens(
    documents: Documents,
) -> None:
    spec = documents[0]
    for ending in ENDINGS:
        assert any(set(dag) == ending for dag in dags(spec))
    assert sum("publish" in dag for dag in dags(spec)) == 1
    recorded = spec["root"]["dag"]["tasks"]["record"]
    assert recorded["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def test_what_is_cached_is_keyed_by_the_data_and_what_has_effects_is_never_cached(
    documents: Documents, name: str
) -> None:
    found = tasks(documents[0])
    cached = {step for step, task in found.items() if task.get("cachingOptions", {}).get("enableCache")}
    assert cached == CACHED[name]
    for step in cached - {"check-config", "plan", "gate"}:
        assert "dataset_md5" in found[step]["inputs"]["parameters"], step
    for step in cached & {"compare", "borrow"}:
        assert "champion" in found[step]["inputs"]["parameters"], step
    if name == "retrain":
        assert set(found["gate"]["inputs"]["parameters"]) >= {"champion_id", "policy"}


def test_publish_is_told_which_champion_the_gate_saw(documents: Documents) -> None:
    found = tasks(documents[0])
    assert "champion" in found["publish"]["inputs"]["parameters"]
    assert "champion" not in found["wait-for-approval"]["inputs"]["parameters"]


def test_what_it_would_change_is_shown_before_it_can_be_published(documents: Documents) -> None:
    found = tasks(documents[0])
    assert "shadow" in found["seal"]["dependentTasks"]
    assert {"champion", "generation_id", "collection"} <= {*found["shadow"]["inputs"]["parameters"]}


def test_nothing_is_trained_or_encoded_before_what_lies_ahead_is_checked(
    documents: Documents, name: str
) -> None:
    found = tasks(documents[0])
    assert "check-ahead" in found["champion"]["dependentTasks"]
    assert "check-data" in found["check-ahead"]["dependentTasks"]
    if name == "retrain":
        assert {"check-ahead"} <= {*found["train"]["dependentTasks"]}
        assert "check-config" in found["check-ahead"]["dependentTasks"]
        config = found["train"]["inputs"]["parameters"]["config"]
        assert config["taskOutputParameter"]["producerTask"] == "check-config"


def test_drift_changes_nothing_and_nothing_of_it_is_cached() -> None:
    spec, _ = yaml.load_all(package(DRIFT).read_text(), Loader=yaml.CSafeLoader)
    found = tasks(spec)
    assert set(found) == {"begin", "served", "check", "record"}
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in found.values())
    assert set(spec["root"]["inputDefinitions"]["parameters"]) == OF_DRIFT
    assert found["served"]["dependentTasks"] == ["begin"]
    assert set(found["check"]["dependentTasks"]) == {"begin", "served"}
    recorded = spec["root"]["dag"]["tasks"]["record"]
    assert recorded["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def test_a_sweep_publishes_nothing_and_its_rounds_follow_each_other() -> None:
    spec, _ = yaml.load_all(package(SWEEP).read_text(), Loader=yaml.CSafeLoader)
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == OF_SWEEP
    assert all("defaultValue" in parameter for parameter in parameters.values())
    found = tasks(spec)
    steps = {name.rstrip("-0123456789") for name in found}
    assert steps == {
        "begin",
        "resolve",
        "pull",
        "check-data",
        "check-sweep",
        "hold-out",
        "ask",
        "trial",
        "choose",
        "record",
    }
    cached = {name for name, task in found.items() if task.get("cachingOptions", {}).get("enableCache")}
    assert {name.rstrip("-0123456789") for name in cached} == CACHED["sweep"]
    (rounds,) = [dag for dag in dags(spec) if "choose" in dag]
    asked = ["ask", *(f"ask-{number}" for number in range(2, ROUNDS + 1))]
    assert {"choose", *asked} == {name for name in rounds if not name.startswith("for-loop")}
    for before, after in itertools.pairwise([*asked, "choose"]):
        (loop,) = [
            name
            for name, task in rounds.items()
            if task.get("dependentTasks") and before in task["dependentTasks"] and "for-loop" in name
        ]
        assert {before, loop} <= {*rounds[after]["dependentTasks"]}
    trials = [task for name, task in found.items() if name.startswith("trial")]
    for trial in trials:
        assert {"dataset_md5", "plan", "asked"} <= {*trial["inputs"]["parameters"]}
    plan = found["check-sweep"]["inputs"]["parameters"]
    assert {"dataset_md5", "config", "search", "metric", "seed"} <= {*plan}
    recorded = spec["root"]["dag"]["tasks"]["record"]
    assert recorded["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


@pytest.mark.parametrize("name", NAMES)
def test_every_step_has_volume_addresses_and_the_run_to_tell_its_events_by(name: str) -> None:
    spec, platform = yaml.load_all(package(name).read_text(), Loader=yaml.CSafeLoader)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == set(spec["deploymentSpec"]["executors"])
    assert EVENTS.startswith(f"{MOUNT}/")
    for executor in executors.values():
        assert executor["pvcMount"][0]["mountPath"] == MOUNT
        variables = {pair["envVar"] for secret in executor["secretAsEnv"] for pair in secret["keyToEnv"]}
        assert variables >= {"TAXOHASH_REDIS_URL", "TAXOHASH_PICTURES", "TAXOHASH_GENERATIONS"}
        assert [pair["name"] for pair in executor["fieldPathAsEnv"]] == ["TAXOHASH_RUN_ID"]
