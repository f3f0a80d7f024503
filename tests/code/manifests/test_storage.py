"""Where generations, pictures and work lie, who may write there, and what clears and trains there."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli import prune
from pipelines.shared.placement import GENERATIONS, IMAGE, LABELS, MOUNT, PICTURES, SETTINGS, STORE, Placement
from pipelines.shared.trainjob import API
from services import settings
from tests.support.components import CLIENT_LABELS, render_with, templates
from tests.support.manifests import OUTSIDE, ROOT, Manifest, Peer, allowed, of_kind

INSIDE = Peer({"app": "seaweedfs"}, {"kubernetes.io/metadata.name": "object-store"})


def mounted(manifests: list[Manifest]) -> dict[str, bool]:
    """The pods that have the claim of runs, and whether they may write on it."""
    found = {}
    for name, template in templates(manifests).items():
        claims = [
            volume["name"]
            for volume in template["spec"].get("volumes", [])
            if volume.get("persistentVolumeClaim", {}).get("claimName") == Placement().claim
        ]
        for mount in template["spec"]["containers"][0]["volumeMounts"]:
            if mount["name"] in claims:
                assert mount["mountPath"] == MOUNT
                found[name.partition("/")[2]] = not mount.get("readOnly", False)
    return found


def test_without_a_bucket_all_share_the_claim_of_runs_and_most_only_read() -> None:
    assert mounted(render_with()) == {}
    readers = {"retrieval": False, "backfill": False}
    assert mounted(render_with("claims")) == readers | {"trigger": True}
    written = render_with("claims", "claims-writes", "canary")
    assert mounted(written) == {
        "retrieval": True,
        "retrieval-canary": True,
        "backfill": False,
        "trigger": True,
    }


def test_the_places_are_of_the_names_that_pods_of_runs_know() -> None:
    manifests = render_with("claims")
    data = of_kind(manifests, "Secret")[PICTURES.name]["data"]
    assert data.keys() == PICTURES.keys.keys()
    places = dict(
        line.split("=", 1)
        for line in (ROOT / "manifests/components/claims/places.env").read_text().splitlines()
    )
    for setting in (settings.GENERATIONS, settings.PICTURES):
        place = Path(places[setting.name])
        assert place.parent == Path(MOUNT)  # which is there: a place is made where its parent is
        assert str(place) != GENERATIONS  # those of runs, which are not all published
    assert not any(value for name, value in places.items() if name.startswith("AWS_"))


def test_pods_on_the_claim_share_a_group() -> None:
    manifests = render_with("claims", "prune", "canary")
    groups = {
        templates(manifests)[name]["spec"]["securityContext"]["fsGroup"]
        for name in templates(manifests)
        if name.partition("/")[2] in mounted(manifests)
    }
    assert len(groups) == 1


def test_a_bucket_inside_the_cluster_is_reached_at_its_port() -> None:
    with_it, without = render_with("s3-inside"), render_with()
    labels = Peer({"taxohash/bucket": "client"})
    assert allowed(with_it, labels, INSIDE, 9000)
    assert not allowed(with_it, labels, INSIDE, 22)
    assert not allowed(without, labels, INSIDE, 9000)
    assert not allowed(with_it, Peer({"taxohash/codestore": "client"}), INSIDE, 9000)
    for template in templates(with_it).values():
        pod = Peer(template["metadata"]["labels"])
        assert allowed(with_it, pod, INSIDE, 9000) == (
            pod.labels is not None and "taxohash/bucket" in pod.labels
        )


def test_clearing_is_a_command_that_there_is_with_what_it_needs() -> None:
    manifests = render_with("prune", "tls")
    spec = of_kind(manifests, "CronJob")["prune"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] <= 7200
    template = templates(manifests)["CronJob/prune"]
    (container,) = template["spec"]["containers"]
    program, room, *words = container["args"]
    assert (program, room) == ("taxohash", "pipeline")
    commands = argparse.ArgumentParser()
    prune.add(commands.add_subparsers())
    given = commands.parse_args(words)
    assert (str(given.home), given.apply) == (MOUNT, True)
    assert container["image"] == IMAGE
    assert mounted(manifests) == {"prune": True}
    assert "/etc/codestore" in {mount["mountPath"] for mount in container["volumeMounts"]}
    sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
    assert sources == [SETTINGS.name, PICTURES.name]
    (url,) = (own["valueFrom"]["secretKeyRef"] for own in container["env"] if "valueFrom" in own)
    assert url == {"name": STORE.name, "key": "url"}
    pod = Peer(template["metadata"]["labels"])
    store = Peer(templates(manifests)["StatefulSet/codestore"]["metadata"]["labels"])
    assert allowed(manifests, pod, store, 6379, "redis")
    assert allowed(manifests, pod, OUTSIDE, 443)
    assert CLIENT_LABELS.items() <= LABELS.items()


@pytest.mark.slow
def test_pipelines_are_applied_as_they_are_compiled() -> None:
    manifests = render_with("pipeline-objects", namespace="elsewhere")
    compiled: list[Any] = []
    for file in sorted((ROOT / "pipelines" / "compiled").glob("*-kubernetes.yaml")):
        compiled += yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    rendered = {(own["kind"], own["metadata"]["name"]): own for own in manifests}
    assert len(compiled) == 8
    for own in compiled:
        found = rendered[own["kind"], own["metadata"]["name"]]
        assert found["spec"] == own["spec"]
        assert found["metadata"]["namespace"] == "elsewhere"


def test_who_starts_trainings_may_do_that_alone() -> None:
    manifests = render_with("trainjob")
    rules = of_kind(manifests, "Role")["training"]["rules"]
    group = API.partition("/")[0]
    (own,) = (rule for rule in rules if group in rule["apiGroups"])
    assert own["resources"] == ["trainjobs"]
    assert "*" not in {word for rule in rules for words in rule.values() for word in words}
    assert not [rule for rule in rules if "secrets" in rule["resources"]]
    binding = of_kind(manifests, "RoleBinding")["training"]
    assert [subject["name"] for subject in binding["subjects"]] == ["training"]
    assert Placement().service_account in of_kind(manifests, "ServiceAccount")
