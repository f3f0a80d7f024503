"""CronJobs that back up and try the newest backup: their bounds, their rights, and that the commands are such as there are."""

import re
from pathlib import Path

import pytest

from pipelines.shared.placement import IMAGE, PICTURES
from services.codestore import CodeStore
from services.codestore.accounts import address_of
from tests.support import command
from tests.support.accounts import ACL, PASSWORDS
from tests.support.alerting import ALERTS, rules_of
from tests.support.components import render_with, templates
from tests.support.manifests import OUTSIDE, Manifest, Peer, allowed, of_kind
from tests.support.servers import VALKEY, ConfiguredServer, binary
from tests.support.stored import fill_collection

NAMES = ("backup", "backup-rehearsal", "restore")
CHOICES = (("backup",), ("backup", "backup-s3"))


@pytest.fixture(scope="module", params=CHOICES, ids="-".join)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render_with(*request.param)


def container(manifests: list[Manifest], name: str) -> Manifest:
    (found,) = templates(manifests)[f"CronJob/{name}"]["spec"]["containers"]
    return dict(found)


def words_of(manifests: list[Manifest], name: str, **more: str) -> list[str]:
    """What is started, as Kubernetes fills it in."""
    (source,) = (
        own["configMapRef"] for own in container(manifests, name)["envFrom"] if "configMapRef" in own
    )
    variables = of_kind(manifests, "ConfigMap")[source["name"]]["data"] | more
    return [
        re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word)
        for word in container(manifests, name)["args"]
    ]


def test_none_runs_beside_another_and_none_for_ever(manifests: list[Manifest]) -> None:
    jobs = of_kind(manifests, "CronJob")
    assert jobs.keys() == {"backup", "backup-rehearsal", "restore"}
    assert {name for name, job in jobs.items() if job["spec"].get("suspend")} == {"restore"}
    for job in jobs.values():
        spec = job["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["startingDeadlineSeconds"] >= 600
        assert spec["successfulJobsHistoryLimit"] + spec["failedJobsHistoryLimit"] <= 6
        assert 0 < spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] <= 6 * 3600
        assert spec["jobTemplate"]["spec"]["backoffLimit"] <= 3
        assert spec["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_alerts_are_of_these_jobs(manifests: list[Manifest]) -> None:
    (file,) = (file for file in ALERTS if file.stem == "backups")
    asked = {name for rule in rules_of(file) for name in re.findall(r'cronjob="([^"]*)"', rule["expr"])}
    assert asked == of_kind(manifests, "CronJob").keys() - {"restore"}


def test_who_backs_up_reads_and_who_tries_does_not_see_the_store(manifests: list[Manifest]) -> None:
    pods = templates(manifests)
    store = Peer(pods["StatefulSet/codestore"]["metadata"]["labels"])
    backup, rehearsal = (
        Peer(pods[f"CronJob/{name}"]["metadata"]["labels"]) for name in ("backup", "backup-rehearsal")
    )
    assert allowed(manifests, backup, store, 6379, "redis")
    assert not allowed(manifests, rehearsal, store, 6379, "redis")
    for pod in (backup, rehearsal):
        assert allowed(manifests, pod, OUTSIDE, 443)
        assert not allowed(manifests, OUTSIDE, pod, 443)
    secrets = {
        (name, own["valueFrom"]["secretKeyRef"]["name"])
        for name in NAMES
        for own in container(manifests, name)["env"]
        if "valueFrom" in own
    }
    assert secrets == {("backup", "codestore-reader"), ("restore", "codestore-admin")}


def test_they_are_the_program_of_pipelines(manifests: list[Manifest]) -> None:
    for name in NAMES:
        own = container(manifests, name)
        assert own["image"] == IMAGE
        assert {source["secretRef"]["name"] for source in own["envFrom"] if "secretRef" in source} == {
            PICTURES.name
        }


def test_the_claim_is_mounted_where_backups_lie_and_read_only_where_they_are_tried() -> None:
    manifests = render_with("backup")
    assert "backups" in of_kind(manifests, "PersistentVolumeClaim")
    for name in NAMES:
        (mount,) = (own for own in container(manifests, name)["volumeMounts"] if own["name"] == "backups")
        assert mount["mountPath"] in words_of(manifests, name)
        assert mount.get("readOnly", False) == (name != "backup")


def test_in_a_bucket_there_is_no_claim() -> None:
    manifests = render_with("backup", "backup-s3")
    assert "backups" not in of_kind(manifests, "PersistentVolumeClaim")
    for name in NAMES:
        spec = templates(manifests)[f"CronJob/{name}"]["spec"]
        assert not [volume for volume in spec["volumes"] if "persistentVolumeClaim" in volume]
        assert {own["name"] for own in spec["containers"][0]["volumeMounts"]} == {
            own["name"] for own in spec["volumes"]
        }
        assert "s3://bucket/backups" in words_of(manifests, name, BACKUPS="s3://bucket/backups")


@pytest.mark.system
def test_what_they_start_backs_up_tries_and_restores_with_the_rights_they_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = render_with("backup")
    configuration = "protected-mode no\nappendonly yes\n"
    with (
        ConfiguredServer(binary(VALKEY), tmp_path / "pod", configuration, ACL) as server,
        ConfiguredServer(binary(VALKEY), tmp_path / "empty", configuration, ACL) as empty,
    ):

        def address(account: str, there: ConfiguredServer) -> str:
            return address_of(account, PASSWORDS[account], f"redis://127.0.0.1:{there.port}/0")

        with CodeStore.connect(address("admin", server)) as admin:
            fill_collection(admin, "default", count=100)
            items = admin.count("default")
        (tmp_path / "backups").mkdir()
        monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path / "pictures"))
        monkeypatch.setenv("TAXOHASH_COLLECTION", "default")
        # Who tries it is given no address: one that leads nowhere is not asked.
        urls = {"backup": address("reader", server), "restore": address("admin", empty)}
        said = []
        for name in NAMES:
            monkeypatch.setenv("TAXOHASH_REDIS_URL", urls.get(name, "redis://127.0.0.1:1/0"))
            words = [
                word.replace("/backups", str(tmp_path / "backups")) for word in words_of(manifests, name)
            ]
            assert words[0] == "taxohash"
            done = command.run("taxohash.cli", *words[1:])
            assert done.returncode == 0, done.stderr
            said.append(done.stdout)
        assert said[0].startswith("backed up to ")
        assert said[1].endswith(f" {items} items, generation g1, whole\n")
        assert said[2].endswith(" generation g1, published\n")
        with CodeStore.connect(address("reader", empty)) as reader:
            assert reader.count("default") == items
            assert reader.state("default").history == ("g1",)
