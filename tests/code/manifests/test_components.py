"""Components in the overlays, alone and together: rendered, valid, hardened, and with no reference that leads nowhere."""

import os
import re

import pytest
import yaml

from tests.support import combinations
from tests.support.combinations import Names, alone, pairs, render_with, table, together
from tests.support.manifests import OVERLAYS, ROOT, Manifest, containers, template_of
from tests.support.references import broken
from tests.support.schemas import VERSIONS, fault


def choices(overlays: tuple[str, ...], of: str) -> list[object]:
    """An overlay and components, for each choice of those."""
    return [
        pytest.param(
            overlay, names, id=f"{overlay}-{number}" if of == "together" else "-".join([overlay, *names])
        )
        for overlay in overlays
        for number, names in enumerate(getattr(combinations, of)(overlay))
    ]


def check(overlay: str, names: Names) -> None:
    manifests = render_with(overlay, names)
    assert broken(manifests) == []
    assert [found for m in manifests for version in VERSIONS if (found := fault(m, version))] == []
    assert [found for m in manifests if (found := soft(m))] == []
    keys = [(m["kind"], m["metadata"]["name"]) for m in manifests]
    assert len(set(keys)) == len(keys)


def soft(manifest: Manifest) -> str:
    """What of the restricted standard, and of bounds, the pods of a workload lack; nothing if they have all."""
    if (template := template_of(manifest)) is None:
        return ""
    own, pod = f"{manifest['kind']} {manifest['metadata']['name']}", template["spec"]
    security = pod.get("securityContext", {})
    lacks = []
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
        lacks.append("a user that is not root")
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        lacks.append("a seccomp profile")
    if pod.get("automountServiceAccountToken") is not False:
        lacks.append("automountServiceAccountToken: false")
    if {"hostNetwork", "hostPID", "hostIPC"} & pod.keys() or any(
        "hostPath" in v for v in pod.get("volumes", [])
    ):
        lacks.append("a node of its own")
    for container in pod["containers"] + pod.get("initContainers", []):
        if container.get("securityContext") != HARDENED:
            lacks.append(f"the security context of {container['name']}")
        resources = container.get("resources", {})
        if not (
            {"cpu", "memory"} <= resources.get("requests", {}).keys()
            and "memory" in resources.get("limits", {})
        ):
            lacks.append(f"bounds of {container['name']}")
    return f"{own} lacks {', '.join(lacks)}" if lacks else ""


HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def test_the_table_names_every_component_once() -> None:
    text = (combinations.COMPONENTS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)
    assert len(set(rows)) == len(rows)
    assert set(rows) == combinations.folders()
    for component in table().values():
        assert component.name not in component.needs | component.excludes


def test_overlays_take_what_may_stand_together_in_the_order_of_the_table() -> None:
    for overlay in OVERLAYS:
        file = ROOT / "manifests" / "overlays" / overlay / "kustomization.yaml"
        taken = [os.path.basename(path) for path in yaml.safe_load(file.read_text()).get("components", [])]
        assert combinations.with_needed(tuple(taken), overlay) == tuple(taken)


def test_every_component_is_in_a_choice_of_many() -> None:
    for overlay in OVERLAYS:
        fit = {name for name in table() if combinations.with_needed((name,), overlay)}
        assert {name for names in together(overlay) for name in names} == fit
        assert {name for names in alone(overlay) for name in names} == fit
    assert pairs("dev")


@pytest.mark.parametrize(("overlay", "names"), choices(("production",), "together")[:1])
def test_all_at_once(overlay: str, names: Names) -> None:
    check(overlay, names)


@pytest.mark.slow
@pytest.mark.parametrize(("overlay", "names"), choices(OVERLAYS, "together"))
def test_as_many_as_may_stand_together(overlay: str, names: Names) -> None:
    check(overlay, names)


@pytest.mark.slow
@pytest.mark.parametrize(("overlay", "names"), choices(OVERLAYS, "alone"))
def test_each_alone(overlay: str, names: Names) -> None:
    check(overlay, names)


@pytest.mark.slow
@pytest.mark.parametrize(("overlay", "names"), choices(OVERLAYS[:1], "pairs"))
def test_any_two(overlay: str, names: Names) -> None:
    check(overlay, names)


@pytest.mark.slow
@pytest.mark.parametrize(("overlay", "names"), choices(OVERLAYS[:1], "alone"))
def test_a_component_changes_what_is_rendered(overlay: str, names: Names) -> None:
    """A patch whose target is not there is left out without a word."""
    assert render_with(overlay, names) != render_with(overlay, ())


def test_a_pod_that_is_not_hardened_is_found() -> None:
    (pod,) = (m for m in render_with("dev", ()) if m["kind"] == "StatefulSet")
    assert soft(pod) == ""
    pod["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    del pod["spec"]["template"]["spec"]["automountServiceAccountToken"]
    assert (
        soft(pod)
        == "StatefulSet codestore lacks automountServiceAccountToken: false, the security context of valkey"
    )
    assert list(containers([pod]))
