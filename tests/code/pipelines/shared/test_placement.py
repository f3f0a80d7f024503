"""How tasks are placed: what the compiled pipeline says of each pod."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler, dsl

from pipelines.shared import placement
from pipelines.shared.placement import Placement
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import read


@dsl.component(base_image="none", install_kfp_package=False)
def say(word: str) -> str:
    return word


def placed(word: str, image: str = placement.IMAGE) -> None:
    placement.apply(say(word=word), image=image, kind="training", cached=True).set_display_name("train")
    with dsl.ParallelFor(["1", "2"]) as shard:
        placement.apply(say(word=shard), image=image)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    """Made here, as kfp looks at the whole stack for each word about a task, and that of an import is long."""
    return dsl.pipeline(name="placed", description="Two steps, one of them in a loop.")(placed)


def compiled(folder: Path, component: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The specification, and what Kubernetes is told of each executor."""
    file = folder / "pipeline.yaml"
    compiler.Compiler().compile(component, str(file))
    spec, platform = yaml.safe_load_all(file.read_text())
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [executor["container"] for _, executor in sorted(spec["deploymentSpec"]["executors"].items())]


def test_every_pod_has_claim_variables_and_labels(tmp_path: Path, pipeline: Any) -> None:
    spec, executors = compiled(tmp_path, pipeline)
    assert executors.keys() == spec["deploymentSpec"]["executors"].keys()
    for found in executors.values():
        assert [(mount["constant"], mount["mountPath"]) for mount in found["pvcMount"]] == [
            ("taxohash-work", placement.MOUNT)
        ]
        sources = found["secretAsEnv"] + found["configMapAsEnv"]
        variables = {pair["envVar"] for source in sources for pair in source["keyToEnv"]}
        assert variables >= {"TAXOHASH_REDIS_URL", "TAXOHASH_PICTURES", "TAXOHASH_COLLECTION"}
        assert {source["secretName"] for source in found["secretAsEnv"] if source["optional"]} == {
            *("notify", "trigger")
        }
        (authority,) = (own for own in found["configMapAsVolume"] if own["configMapName"] == "codestore-ca")
        assert authority["optional"]
        assert authority["mountPath"] == placement.AUTHORITY_MOUNT
        assert found["podMetadata"]["labels"] == placement.LABELS
        assert not {"nodeSelector", "tolerations"} & found.keys()


def test_tasks_are_placed_without_a_look_at_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> None:
        raise AssertionError("kfp reads the source of every caller")

    monkeypatch.setattr("inspect.stack", read)
    dsl.pipeline(name="placed")(placed)


def test_only_what_is_said_to_be_is_cached(tmp_path: Path, pipeline: Any) -> None:
    spec, _ = compiled(tmp_path, pipeline)
    assert spec["root"]["dag"]["tasks"]["say"]["cachingOptions"] == {"enableCache": True}
    (loop,) = (component for component in spec["components"].values() if "dag" in component)
    assert all(not task.get("cachingOptions") for task in loop["dag"]["tasks"].values())


def test_steps_get_what_their_kind_needs(tmp_path: Path, pipeline: Any) -> None:
    spec, _ = compiled(tmp_path, pipeline)
    training, light = (container["resources"] for container in containers(spec))
    assert training["resourceCpuRequest"] == "2"
    assert (training["resourceMemoryRequest"], training["resourceMemoryLimit"]) == ("4Gi", "8Gi")
    assert (light["resourceMemoryRequest"], light["resourceMemoryLimit"]) == ("1Gi", "2Gi")
    assert "accelerator" not in training


def test_another_cluster_is_another_placement(tmp_path: Path, pipeline: Any) -> None:
    other = read(
        Placement,
        {
            "claim": "scratch",
            "queue": "night",
            "labels": {"team": "shop"},
            "secrets": [{"name": "store", "keys": {"address": "TAXOHASH_REDIS_URL"}}],
            "training": {"gpus": 2, "nodes": {"pool": "gpu"}, "tolerations": [{"key": "spot"}]},
        },
    )
    spec, executors = compiled(tmp_path, placement.placed(pipeline, other))
    training, light = (executors[name] for name in sorted(executors))
    for found in (training, light):
        assert found["pvcMount"][0]["constant"] == "scratch"
        assert found["podMetadata"]["labels"] == {"team": "shop", placement.QUEUE_LABEL: "night"}
        assert [secret["secretName"] for secret in found["secretAsEnv"]] == ["store"]
    assert training["nodeSelector"] == {"labels": {"pool": "gpu"}}
    assert [taint["key"] for taint in training["tolerations"]] == ["spot", "nvidia.com/gpu"]
    assert not {"nodeSelector", "tolerations"} & light.keys()
    resources = containers(spec)[0]["resources"]
    assert (
        resources["accelerator"] | {"resourceType": "nvidia.com/gpu", "resourceCount": "2"}
        == (resources["accelerator"])
    )
    assert resources["resourceMemoryLimit"] == "8Gi"  # what is not said stays
    assert compiled(tmp_path, pipeline)[1] == compiled(tmp_path, placement.placed(pipeline, Placement()))[1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"claim": "My_Claim"}, 'claim = "My_Claim": give text such as taxohash-work'),
        ({"training": {"cpu": "1.5"}}, 'training.cpu = "1.5": give text such as 2 or 500m'),
        ({"light": {"memory": "4G"}}, 'light.memory = "4G": give text such as 512Mi or 4Gi'),
        ({"training": {"gpus": -1}}, "training.gpus = -1: give a whole number from 0 to 64"),
        ({"volumes": []}, "volumes is not known: use one of namespace"),
    ],
)
def test_a_wrong_placement_is_one_line(given: dict[str, Any], told: str) -> None:
    with pytest.raises(TaxohashError) as refused:
        read(Placement, given)
    assert str(refused.value).startswith(told)
