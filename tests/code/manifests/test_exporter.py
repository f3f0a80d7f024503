"""The exporter beside the code store: what it is told, what it tells, and what it cannot see."""

from pathlib import Path

import httpx
import pytest

from tests.support.accounts import ACL, PASSWORDS
from tests.support.certificates import Authority
from tests.support.components import CLIENT_LABELS, Pod, needs_valkey, render_with, started, templates
from tests.support.manifests import Manifest, Peer, allowed, of_kind, selects
from tests.support.monitoring import exporter_told, has_exporter

MONITORING = Peer({"app.kubernetes.io/name": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"})


def exporter(manifests: list[Manifest]) -> Manifest:
    containers = templates(manifests)["StatefulSet/codestore"]["spec"]["containers"]
    (found,) = (own for own in containers if own["name"] == "exporter")
    return dict(found)


def told(manifests: list[Manifest], secrets: dict[tuple[str, str], str]) -> dict[str, str]:
    """Its variables, as Kubernetes gives them."""
    maps = of_kind(manifests, "ConfigMap")
    found = {}
    for variable in exporter(manifests)["env"]:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            key = source["secretKeyRef"]
            found[variable["name"]] = secrets[key["name"], key["key"]]
        elif "configMapKeyRef" in source:
            key = source["configMapKeyRef"]
            if key["key"] in maps[key["name"]]["data"]:
                found[variable["name"]] = maps[key["name"]]["data"][key["key"]]
            else:
                assert key["optional"]
        else:
            found[variable["name"]] = variable["value"]
    return found


def test_prometheus_reaches_it_and_nothing_else() -> None:
    manifests = render_with("exporter")
    store = Peer(templates(manifests)["StatefulSet/codestore"]["metadata"]["labels"])
    assert allowed(manifests, MONITORING, store, 9121, "metrics")
    assert not allowed(manifests, MONITORING, store, 6379, "redis")
    assert not allowed(manifests, Peer(CLIENT_LABELS), store, 9121, "metrics")
    monitored = of_kind(render_with("exporter", "exporter-monitor"), "PodMonitor")["codestore"]["spec"]
    assert selects(monitored["selector"], dict(store.labels or {}))
    (endpoint,) = monitored["podMetricsEndpoints"]
    assert endpoint["port"] == exporter(manifests)["ports"][0]["name"]


def test_the_store_keeps_its_name_where_the_exporter_fails() -> None:
    assert (
        of_kind(render_with("exporter"), "Service")["codestore"]["spec"]["publishNotReadyAddresses"] is True
    )


@pytest.mark.system
@pytest.mark.slow
@needs_valkey
@pytest.mark.skipif(not has_exporter(), reason="the exporter is not here: sh scripts/monitoring says why")
@pytest.mark.parametrize("components", [("exporter",), ("exporter", "tls")], ids="-".join)
def test_it_tells_how_the_server_is_with_the_least_rights(
    components: tuple[str, ...], tmp_path: Path
) -> None:
    manifests = render_with(*components)
    authority = Authority(tmp_path / "authority")
    objects = {
        "codestore-acl": {"users.acl": f"{ACL}user stage on >stage ~* &* +@all\n"},
        "codestore-tls": authority.certificate(days=2),
        "codestore-ca": {"ca.crt": authority.text},
    }
    (tmp_path / "pod").mkdir()
    pod = Pod(manifests, tmp_path / "pod", objects)
    variables = told(manifests, {("codestore-exporter", "password"): PASSWORDS["exporter"]})
    variables = {"REDIS_ADDR": "redis://localhost:6379"} | variables  # its own default
    here = {name: pod.here(text) for name, text in variables.items()}
    here["REDIS_EXPORTER_TLS_CA_CERT_FILE"] = here.get("REDIS_EXPORTER_TLS_CA_CERT_FILE", "")
    with started(pod), exporter_told(tmp_path, here) as url:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert samples["redis_up"] == "1"
        assert samples["redis_aof_enabled"] == samples["redis_aof_last_write_status"] == "1"
        assert float(samples["redis_memory_max_bytes"]) > 0
        assert "redis_slowlog_length" in samples
        assert not [name for name in samples if name.startswith("redis_config_")]
        # Nothing but the slow log, whose commands have arguments, is refused to it.
        stage = "valkey-cli --user stage --pass stage --no-auth-warning acl log"
        if "tls" in components:
            stage = stage.replace("valkey-cli", "valkey-cli --tls --cacert /etc/codestore/ca.crt")
        log = pod.run(["sh", "-c", stage]).stdout
        refused = {
            own
            for before, own in zip(log.splitlines(), log.splitlines()[1:], strict=False)
            if before == "object"
        }
        assert refused <= {"slowlog|get", "slowlog"}
