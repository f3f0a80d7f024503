"""What is rendered for a cluster and what is compiled for it know each other: contract 6, one set of names."""

import os
import re
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.shared.placement import EVENTS, MOUNT, RUN_LABEL, Placement
from pipelines.shared.trainjob import LABEL
from services import settings
from services.trigger.settings import Settings
from taxohash.runtime.configuration import parse
from tests.support.manifests import (
    OUTSIDE,
    OVERLAYS,
    ROOT,
    Manifest,
    Peer,
    allowed,
    container_of,
    of_kind,
    pods,
    render,
    selects,
    variables,
)

COMPILED = sorted(
    file for file in (ROOT / "pipelines" / "compiled").glob("*.yaml") if not file.stem.endswith("-kubernetes")
)
KUBEFLOW = Peer({"app": "ml-pipeline"}, {"kubernetes.io/metadata.name": "kubeflow"})
DNS = Peer({"k8s-app": "coredns"}, {"kubernetes.io/metadata.name": "kube-system"})
NODE_LOCAL_DNS = Peer(address="169.254.20.10")


class Pipeline:
    """A compiled pipeline, as a cluster sees it."""

    def __init__(self, file: Path) -> None:
        self.spec, platform = yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        self.executors: dict[str, Any] = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    def default(self, parameter: str) -> Any:
        return self.spec["root"]["inputDefinitions"]["parameters"][parameter]["defaultValue"]

    @property
    def labels(self) -> list[dict[str, str]]:
        """Of each step's pods, that included which Argo adds."""
        return [
            {RUN_LABEL: "a-run", **executor.get("podMetadata", {}).get("labels", {})}
            for executor in self.executors.values()
        ]

    def variables(self, kind: str, name: str) -> set[tuple[str, str, str]]:
        """Objects with the keys that steps need of them, and the variables that those become."""
        key = {"secretAsEnv": "secretKey", "configMapAsEnv": "configMapKey"}[kind]
        return {
            (source[name], pair[key], pair["envVar"])
            for executor in self.executors.values()
            for source in executor.get(kind, [])
            for pair in source["keyToEnv"]
        }


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(request.param)


@pytest.fixture(scope="module", params=COMPILED, ids=lambda file: file.stem)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    return Pipeline(request.param)


def test_every_step_is_placed(pipeline: Pipeline) -> None:
    assert pipeline.executors.keys() == pipeline.spec["deploymentSpec"]["executors"].keys()
    for executor in pipeline.executors.values():
        assert [mount["mountPath"] for mount in executor["pvcMount"]] == [MOUNT]


def test_claims_are_there_for_pods_on_all_nodes(pipeline: Pipeline, manifests: list[Manifest]) -> None:
    claims = of_kind(manifests, "PersistentVolumeClaim")
    mounted = {
        mount["constant"] for executor in pipeline.executors.values() for mount in executor["pvcMount"]
    }
    assert mounted == claims.keys()
    for name in ("work", "generations"):
        assert f"{pipeline.default(name)}/".startswith(f"{MOUNT}/")


def test_secrets_are_those_that_the_readme_makes(pipeline: Pipeline) -> None:
    readme = (ROOT / "manifests" / "README.md").read_text(encoding="utf-8")
    for name, key, _ in pipeline.variables("secretAsEnv", "secretName"):
        if name == "pictures":
            assert f"{key}" in readme
        else:
            assert re.search(rf"create secret generic {name} .*--from-(file|literal)={key}=", readme), name


def test_settings_are_those_of_a_config_map(pipeline: Pipeline, manifests: list[Manifest]) -> None:
    maps = of_kind(manifests, "ConfigMap")
    wanted = pipeline.variables("configMapAsEnv", "configMapName")
    wanted -= {("verifying", "file", settings.VERIFY_KEY.name)}  # there where somebody made it
    assert {(name, key) for name, key, _ in wanted} == {
        ("pipelines", key) for key in maps["pipelines"]["data"]
    }
    assert maps["pipelines"]["data"][settings.CACHE.name].startswith(f"{MOUNT}/")
    assert maps["pipelines"]["data"][settings.EVENTS.name] == EVENTS


def test_keys_are_mounted_where_their_objects_say_and_the_private_one_where_it_signs(
    pipeline: Pipeline,
) -> None:
    readme = (ROOT / "manifests" / "README.md").read_text(encoding="utf-8")
    for executor in pipeline.executors.values():
        files = {source["configMapName"]: source for source in executor["configMapAsVolume"]}
        assert files.keys() == {"codestore-ca", "verifying"}
        public = files["verifying"]
        assert public["optional"]
        assert f"create configmap verifying --from-literal=file={public['mountPath']}/" in readme
    signing = {
        name: executor["secretAsVolume"]
        for name, executor in pipeline.executors.items()
        if "secretAsVolume" in executor
    }
    for (private,) in signing.values():
        assert (private["secretName"], private["optional"]) == ("signing", True)
        assert f"create secret generic signing --from-literal=file={private['mountPath']}/" in readme
    assert signing.keys() == {name for name in pipeline.executors if name == "exec-build"}


def test_pipelines_publish_where_services_read(pipeline: Pipeline, manifests: list[Manifest]) -> None:
    collection = pipeline.default("collection")
    for name in ("retrieval", "backfill", "trigger"):
        assert variables(manifests, name)[settings.COLLECTION.name] == collection
    assert of_kind(manifests, "ConfigMap")["pipelines"]["data"][settings.COLLECTION.name] == collection
    places = {
        variable
        for name, _, variable in pipeline.variables("secretAsEnv", "secretName")
        if name == "pictures"
    }
    assert {settings.GENERATIONS.name, settings.PICTURES.name} <= places
    for name in ("retrieval", "backfill", "trigger"):
        sources = [source.get("secretRef", {}) for source in container_of(manifests, name)["envFrom"]]
        assert "pictures" in {source.get("name") for source in sources}


def test_steps_backfill_and_trigger_are_one_program(pipeline: Pipeline, manifests: list[Manifest]) -> None:
    image = container_of(manifests, "trigger")["image"]
    assert container_of(manifests, "backfill")["image"] == image
    assert (
        variables(manifests, "trigger")[settings.IMAGE.name] == image
    )  # which it hands to the runs that it starts
    name, _, tag = pipeline.default("image").partition(":")
    base = yaml.safe_load((ROOT / "manifests" / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert {"name": name, "newTag": tag} in base["images"]
    for executor in pipeline.spec["deploymentSpec"]["executors"].values():
        assert executor["container"]["image"] == "{{$.inputs.parameters['pipelinechannel--image']}}"


def test_steps_reach_what_they_need(pipeline: Pipeline, manifests: list[Manifest]) -> None:
    store = Peer(pods(manifests)["codestore"]["metadata"]["labels"])
    for labels in pipeline.labels:
        pod = Peer(labels)
        assert allowed(manifests, pod, store, 6379, "redis")
        assert allowed(manifests, pod, OUTSIDE, 443)
        assert allowed(manifests, pod, KUBEFLOW, 8887)
        assert allowed(manifests, pod, DNS, 53)
        assert not allowed(manifests, pod, OUTSIDE, 80)
        assert not allowed(manifests, OUTSIDE, pod, 443)


def test_pods_that_kubeflow_adds_reach_kubeflow_and_no_store(manifests: list[Manifest]) -> None:
    driver = Peer({RUN_LABEL: "a-run"})
    store = Peer(pods(manifests)["codestore"]["metadata"]["labels"])
    assert allowed(manifests, driver, KUBEFLOW, 8887)
    assert allowed(manifests, driver, OUTSIDE, 6443)
    assert allowed(manifests, driver, DNS, 53)
    assert not allowed(manifests, driver, store, 6379, "redis")


def test_services_reach_what_they_need(manifests: list[Manifest]) -> None:
    labels = {name: Peer(pod["metadata"]["labels"]) for name, pod in pods(manifests).items()}
    for name in ("retrieval", "backfill", "trigger"):
        assert allowed(manifests, labels[name], labels["codestore"], 6379, "redis")
        assert allowed(manifests, labels[name], OUTSIDE, 443)
        assert allowed(manifests, labels[name], DNS, 53)
        assert allowed(manifests, labels[name], NODE_LOCAL_DNS, 53)
        assert allowed(manifests, labels[name], KUBEFLOW, 8888) == (name == "trigger")
    for name, port in (("retrieval", 3000), ("trigger", 8080)):
        assert allowed(
            manifests, Peer({"app": "proxy"}, {f"taxohash/{name}": "client"}), labels[name], port, "http"
        )
        assert not allowed(manifests, Peer({"app": "proxy"}, {"team": "proxy"}), labels[name], port, "http")
        assert not allowed(manifests, OUTSIDE, labels[name], port, "http")
    shop = Peer({"app": "shop", "taxohash/retrieval": "client"})
    assert allowed(manifests, shop, labels["retrieval"], 3000, "http")
    assert allowed(manifests, shop, NODE_LOCAL_DNS, 53)
    assert not allowed(manifests, shop, labels["codestore"], 6379, "redis")
    for name in ("backfill", "codestore"):
        assert not allowed(manifests, OUTSIDE, labels[name], 6379, "redis")
    stranger = Peer({"app": "stranger"})
    assert not allowed(manifests, stranger, labels["codestore"], 6379, "redis")
    assert not allowed(manifests, stranger, OUTSIDE, 443)


def test_a_pod_that_no_policy_lets_through_is_found(pipeline: Pipeline, manifests: list[Manifest]) -> None:
    store = Peer(pods(manifests)["codestore"]["metadata"]["labels"])
    labels = dict(pipeline.labels[0])
    del labels["taxohash/codestore"]
    assert not allowed(manifests, Peer(labels), store, 6379, "redis")
    closed = deepcopy(manifests)
    of_kind(closed, "NetworkPolicy")["codestore"]["spec"]["ingress"][0]["from"][0]["podSelector"] = {
        "matchLabels": {"another": "label"}
    }
    assert not allowed(closed, Peer(pipeline.labels[0]), store, 6379, "redis")


def test_the_policies_labels_are_of_pods_that_there_are(
    pipeline: Pipeline, manifests: list[Manifest]
) -> None:
    known = [pod["metadata"]["labels"] for pod in pods(manifests).values()] + [*pipeline.labels, LABEL]
    known.append({"taxohash/retrieval": "client"})  # which users give to theirs
    for policy in of_kind(manifests, "NetworkPolicy").values():
        assert any(selects(policy["spec"]["podSelector"], labels) for labels in known)


def test_pods_that_train_together_reach_each_other_and_nothing_else(manifests: list[Manifest]) -> None:
    node = Peer(LABEL)
    store = Peer(pods(manifests)["codestore"]["metadata"]["labels"])
    assert allowed(manifests, node, node, 29400)
    assert allowed(manifests, node, DNS, 53)
    assert not allowed(manifests, node, store, 6379, "redis")
    assert not allowed(manifests, node, OUTSIDE, 443)
    assert not allowed(manifests, store, node, 29400)


def test_runs_have_an_account_and_a_namespace(manifests: list[Manifest]) -> None:
    placement = Placement()
    assert placement.service_account in of_kind(manifests, "ServiceAccount")
    assert placement.namespace in {manifest["metadata"].get("namespace") for manifest in render("production")}
    for binding in of_kind(manifests, "RoleBinding").values():
        assert binding["roleRef"]["name"] in of_kind(manifests, "Role")
        for subject in binding["subjects"]:
            assert subject["name"] in of_kind(manifests, "ServiceAccount")


def test_the_placement_of_the_readme_is_one() -> None:
    readme = (ROOT / "manifests" / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```json\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert parse(Placement, shown) != Placement()


def test_the_trigger_knows_its_kubeflow(manifests: list[Manifest]) -> None:
    """By the address of its API in the cluster, and a token of its own that is renewed."""
    container = container_of(manifests, "trigger")
    assert variables(manifests, "trigger")[settings.KF_PIPELINES_ENDPOINT.name] == (
        "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
    )
    (namespace,) = (own for own in container["env"] if own["name"] == settings.KF_PIPELINES_NAMESPACE.name)
    assert namespace["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "kubeflow-token")
    assert settings.KF_PIPELINES_SA_TOKEN_PATH.shown.startswith(f"{mount['mountPath']}/token")
    (volume,) = (v for v in pods(manifests)["trigger"]["spec"]["volumes"] if v["name"] == "kubeflow-token")
    (token,) = (source["serviceAccountToken"] for source in volume["projected"]["sources"])
    assert (token["path"], token["audience"]) == ("token", "pipelines.kubeflow.org")
    rules = of_kind(manifests, "Role")["trigger"]["rules"]
    assert {verb for rule in rules if "runs" in rule["resources"] for verb in rule["verbs"]} == {
        *("create", "get", "list", "terminate")
    }


def test_the_trigger_is_told_what_it_reads(manifests: list[Manifest], tmp_path: Path) -> None:
    """And starts runs by a command that there is, in a folder that it may write."""
    container = container_of(manifests, "trigger")
    environment = variables(manifests, "trigger") | {
        own["name"]: "a secret of many letters"
        for own in container["env"]
        if "secretKeyRef" in own.get("valueFrom", {})
    }
    known = {own.name for section in settings.SECTIONS.values() for own in section}
    assert {name for name in environment if name.startswith(("TAXOHASH_", "KF_"))} <= known
    told = Settings.from_environment(
        {name: expanded(text, environment) for name, text in environment.items()}
    )
    assert told.command[:3] == ("taxohash", "pipeline", "submit")
    names = dict(zip(told.command[3::2], told.command[4::2], strict=True))
    placement = Placement()
    assert names == {
        "--service-account": placement.service_account,
        "--claim": placement.claim,
        "--settings": placement.settings[0].name,
    }
    assert {told.git_secret, told.approval_secret} == {"a secret of many letters"}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert not mounts[f"/{told.folder.parts[1]}"].get("readOnly")
    assert told.token_file
    assert mounts[str(told.token_file.parent)]["name"] == "token"
    (volume,) = (v for v in pods(manifests)["trigger"]["spec"]["volumes"] if v["name"] == "token")
    assert [item["path"] for item in volume["secret"]["items"]] == [told.token_file.name]
    shell, flag, script = container["args"]
    left = tmp_path / "trigger"
    (left / "default").mkdir(parents=True)
    program = tmp_path / "taxohash"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [shell, flag, script], env={"PATH": f"{tmp_path}:{os.environ['PATH']}", settings.TRIGGER_FOLDER.name: str(left)},
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == [
        "trigger",
        "--host",
        "0.0.0.0",
        "--port",
        str(container["ports"][0]["containerPort"]),
    ]
    assert not left.exists()


def expanded(text: str, environment: dict[str, str]) -> str:
    """A value of a pod's variable as the kubelet gives it."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], text)


@pytest.mark.parametrize("name", ["backfill", "trigger"])
def test_one_replica_makes_way_before_the_next_comes(manifests: list[Manifest], name: str) -> None:
    spec = of_kind(manifests, "Deployment")[name]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
