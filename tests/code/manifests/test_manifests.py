"""The overlays as kubectl renders them: valid, hardened, and in agreement with the programs they start."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import redis
import yaml

from services.codestore import CodeStore, Item
from services.codestore.embedded import EmbeddedServer
from services.retrieval.settings import Settings
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

ROOT = Path(__file__).parents[3]
OVERLAYS = ("dev", "prod")
KUBERNETES = ("1.30", "1.37")
KUBECTL = Path(sys.executable).parent / "kubectl"

Manifest = dict[str, Any]


def render(overlay: str) -> list[Manifest]:
    command = [str(KUBECTL), "kustomize", str(ROOT / "manifests" / "overlays" / overlay)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(request.param)


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] in kinds}


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Pod templates by the name of their workload."""
    workloads = of_kind(manifests, "Deployment", "StatefulSet")
    return {name: workload["spec"]["template"] for name, workload in workloads.items()}


def containers(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Every container with the spec of its pod."""
    for pod in pods(manifests).values():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            yield pod["spec"], container


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_has_the_schema_of_its_kind(manifests: list[Manifest], version: str) -> None:
    assert len(manifests) >= 13
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_found() -> None:
    deployment = of_kind(render("dev"), "Deployment")["retrieval"]
    deployment["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES[-1], strict=True)


def test_pods_meet_the_restricted_standard(manifests: list[Manifest]) -> None:
    assert pods(manifests).keys() == {"retrieval", "codestore"}
    for pod, container in containers(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPath" in volume for volume in pod["volumes"])


def test_containers_have_bounds_probes_and_pinned_images(manifests: list[Manifest]) -> None:
    for _, container in containers(manifests):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        image, tag = container["image"].rsplit(":", 1)
        assert image
        assert tag != "latest"


def test_the_service_is_probed_where_it_answers(manifests: list[Manifest]) -> None:
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["args"][-1] == str(container["ports"][0]["containerPort"])


def test_names_that_refer_to_each_other_exist(manifests: list[Manifest]) -> None:
    templates = pods(manifests)
    for service in of_kind(manifests, "Service").values():
        name = service["spec"]["selector"]["app.kubernetes.io/name"]
        ports = {port["name"] for c in templates[name]["spec"]["containers"] for port in c["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    configs = of_kind(manifests, "ConfigMap")
    for pod, container in containers(manifests):
        assert pod["serviceAccountName"] in of_kind(manifests, "ServiceAccount")
        used = {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v}
        used |= {source["configMapRef"]["name"] for source in container.get("envFrom", [])}
        assert used <= configs.keys()
        provided = {volume["name"] for volume in pod["volumes"]} | {"data"}
        assert {mount["name"] for mount in container["volumeMounts"]} <= provided
    workload = of_kind(manifests, "StatefulSet")["codestore"]
    assert workload["spec"]["serviceName"] in of_kind(manifests, "Service")
    assert workload["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


def test_everything_is_denied_but_the_ways_named(manifests: list[Manifest]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (way,) = policies["codestore"]["spec"]["ingress"]
    (client,) = way["from"]
    labels = pods(manifests)["retrieval"]["metadata"]["labels"]
    assert client["podSelector"]["matchLabels"].items() <= labels.items()
    assert policies["codestore-clients"]["spec"]["podSelector"] == client["podSelector"]
    everybody = [name for name, p in policies.items() if p["spec"].get("ingress") and name != "codestore"]
    assert everybody == ["retrieval"]


def test_no_secret_is_kept_here(manifests: list[Manifest]) -> None:
    assert not of_kind(manifests, "Secret")
    for _, container in containers(manifests):
        for variable in container.get("env", []):
            assert "valueFrom" in variable or not re.search("TOKEN|PASSWORD|URL", variable["name"])


def environment(manifests: list[Manifest]) -> dict[str, str]:
    """What the serving container gets, with a value in place of each secret."""
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= of_kind(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return found | {
        variable["name"]: variable.get("value", "redis://secret") for variable in container["env"]
    }


def test_the_settings_are_those_the_service_reads(manifests: list[Manifest], tmp_path: Path) -> None:
    read: set[str] = set()

    class Recorded(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            read.add(key)
            return super().get(key, default)

        def __contains__(self, key: object) -> bool:
            read.add(str(key))
            return super().__contains__(key)

    given = environment(manifests)
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert any(given["TAXOHASH_API_TOKEN_FILE"].startswith(f"{mount}/") for mount in mounts)
    (tmp_path / "token").write_text("secret\n")
    given["TAXOHASH_API_TOKEN_FILE"] = str(tmp_path / "token")
    settings = Settings.from_environment(Recorded(given))
    assert settings.token == "secret"
    assert settings.redis_url == "redis://secret"
    assert {name for name in given if name.startswith("TAXOHASH_")} <= read
    writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    for place in (given["NUMBA_CACHE_DIR"], given["BENTOML_HOME"]):
        assert any(f"{place}/".startswith(f"{mount}/") for mount in writable)


@pytest.mark.system
def test_a_server_takes_the_configuration_and_keeps_others_out(
    manifests: list[Manifest], tmp_path: Path
) -> None:
    configuration = next(
        c["data"] for n, c in of_kind(manifests, "ConfigMap").items() if n.startswith("codestore")
    )
    readme = (ROOT / "manifests" / "README.md").read_text()
    acl = re.search(r"users\.acl=\"\$\(printf '([^']+)'", readme)
    assert acl
    (tmp_path / "users.acl").write_text(acl[1].replace("\\n", "\n").replace("%s", "pass") + "\n")
    options = dict(
        line.split(" ", 1)
        for line in configuration["valkey.conf"].splitlines()
        if line and not line.startswith("#")
    )
    options = {name: value.strip('"') for name, value in options.items() if name not in ("dir", "port")}
    options["aclfile"] = str(tmp_path / "users.acl")
    with EmbeddedServer(tmp_path / "data", options=options) as server:
        path = server.url.removeprefix("unix://")
        with redis.Redis(unix_socket_path=path) as anybody:
            assert anybody.ping()
            with pytest.raises(redis.exceptions.NoPermissionError):
                anybody.get("x")
        user = redis.Redis(unix_socket_path=path, username="taxohash", password="pass")
        with user as client, pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
        taxonomy = Taxonomy("tiny", (("a", "b"), ("a", "c")))
        with CodeStore.connect(f"unix://taxohash:pass@{path}") as store:
            store.create("default", taxonomy)
            store.put_items("default", [Item("one", (1,))])
            assert store.taxonomy("default") == taxonomy
        with pytest.raises(TaxohashError, match="password"):
            CodeStore.connect(f"unix://taxohash:wrong@{path}")
