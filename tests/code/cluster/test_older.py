"""Manifests as Kubernetes 1.20 knows them."""

from typing import Any

import pytest

from tests.cluster.node.older import Schema, older

Manifest = dict[str, Any]
SCHEMA = Schema.of(
    {
        "definitions": {
            "Pod": {
                "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Pod"}],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"$ref": "#/definitions/Meta"},
                    "spec": {"$ref": "#/definitions/PodSpec"},
                },
            },
            "Meta": {
                "properties": {
                    "name": {},
                    "labels": {"additionalProperties": {"type": "string"}},
                    "owner": {},
                }
            },
            "PodSpec": {
                "properties": {"containers": {"items": {"properties": {"name": {}, "ports": {"items": {}}}}}}
            },
            "Setting": {
                "x-kubernetes-group-version-kind": [{"group": "a.org", "version": "v1", "kind": "Setting"}],
                "properties": {
                    **{name: {} for name in ("apiVersion", "kind", "metadata")},
                    "spec": {"properties": {}, "x-kubernetes-preserve-unknown-fields": True},
                },
            },
        }
    }
)


def manifest(kind: str, version: str, **more: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "labels": {"a/b": "c"}}, **more}


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        ("PodDisruptionBudget", "policy/v1", "policy/v1beta1"),
        ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v2beta2"),
        ("CronJob", "batch/v1", "batch/v1beta1"),
        ("Job", "batch/v1", "batch/v1"),
        ("Deployment", "apps/v1", "apps/v1"),
    ],
)
def test_versions(kind: str, version: str, expected: str) -> None:
    given = manifest(kind, version, spec={"a": 1})
    assert older(given) == {**given, "apiVersion": expected}
    assert given["apiVersion"] == version


def test_sidecars_and_sleeping_hooks_of_every_template() -> None:
    sidecar = {"name": "exporter", "restartPolicy": "Always"}
    hooked = {"name": "main", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
    pod = {"containers": [hooked], "initContainers": [{"name": "first"}, sidecar]}
    made = older(manifest("CronJob", "batch/v1", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}}))
    found = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert found["initContainers"] == [{"name": "first"}]
    main, exporter = found["containers"]
    assert main["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    assert exporter == {"name": "exporter"}


def test_fields_that_are_not_known_are_left_out_and_named() -> None:
    container = {"name": "c", "ports": [{"containerPort": 1}], "resizePolicy": []}
    given = manifest("Pod", "v1", spec={"containers": [{"name": "b"}, container], "hostUsers": False})
    kept, left = SCHEMA.known(given)
    assert left == ["Pod/x: spec.containers[1].resizePolicy", "Pod/x: spec.hostUsers"]
    expected = [{"name": "b"}, {"name": "c", "ports": [{"containerPort": 1}]}]
    assert kept == {**given, "spec": {"containers": expected}}


def test_what_a_schema_leaves_open_is_kept() -> None:
    given = manifest("Setting", "a.org/v1", spec={"any": {"thing": 1}})
    assert SCHEMA.known(given) == (given, [])


def test_kinds_that_are_not_known_are_left_out_and_named() -> None:
    kept, left = SCHEMA.known(manifest("ScaledObject", "keda.sh/v1alpha1"))
    assert kept is None
    assert left == ["ScaledObject/x: keda.sh/v1alpha1 has no such kind here"]
