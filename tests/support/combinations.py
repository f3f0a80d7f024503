"""Components, and which of them may stand together: by the table of manifests/components/README.md, as overlays take them."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from tests.support.manifests import KUBECTL, OVERLAYS, ROOT, Manifest

COMPONENTS = ROOT / "manifests" / "components"
Names = tuple[str, ...]


@dataclass(frozen=True)
class Component:
    """A row of the table.

    Attributes:
        needs: other components, without which it is nothing.
        excludes: components that it cannot stand with, and overlays.
    """

    name: str
    needs: frozenset[str]
    excludes: frozenset[str]


@cache
def table() -> dict[str, Component]:
    """Components in the order in which overlays list them."""
    found: dict[str, Component] = {}
    rows = re.findall(
        r"^\| `([\w-]+)` \|[^|]*\|([^|]*)\|([^|]*)\|$",
        (COMPONENTS / "README.md").read_text(encoding="utf-8"),
        re.M,
    )
    for name, needs, excludes in rows:
        found[name] = Component(name, _words(needs), _words(excludes))
    return {
        own.name: Component(
            own.name, own.needs & found.keys(), (own.excludes | brought(own.name)) & {*found, *OVERLAYS}
        )
        for own in found.values()
    }


def brought(name: str) -> frozenset[str]:
    """Components that a component takes itself: twice in one overlay they would be refused."""
    file = COMPONENTS / name / "kustomization.yaml"
    taken = yaml.safe_load(file.read_text(encoding="utf-8")).get("components", [])
    return frozenset(Path(path).name for path in taken if path.startswith("../"))


def _words(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"`([\w-]+)`", cell))


def with_needed(names: Names, overlay: str) -> Names | None:
    """Components with those that they need, in order; None where two exclude each other, or one the overlay."""
    chosen, more = set(names), set(names)
    while more:
        more = {needed for name in more for needed in table()[name].needs} - chosen
        chosen |= more
    for name in chosen:
        if table()[name].excludes & {*chosen, overlay}:
            return None
    return tuple(name for name in table() if name in chosen)


def alone(overlay: str) -> list[Names]:
    """Each component with what it needs."""
    return sorted({found for name in table() if (found := with_needed((name,), overlay))})


def pairs(overlay: str) -> list[Names]:
    """Any two that may stand together, with what they need."""
    return sorted(
        {found for two in combinations(table(), 2) if (found := with_needed(two, overlay))}
        - set(alone(overlay))
    )


def together(overlay: str) -> list[Names]:
    """As many as may stand together at once: so many such choices that each component is in one."""
    found: list[Names] = []
    for first in table():
        if any(first in chosen for chosen in found):
            continue
        chosen = with_needed((first,), overlay)
        if chosen is None:
            continue
        for name in table():
            chosen = with_needed((*chosen, name), overlay) or chosen
        found.append(chosen)
    return found


def render_with(overlay: str, names: Names) -> list[Manifest]:
    """An overlay that takes these components, as kubectl renders it; those that it has and they exclude it leaves."""
    return list(yaml.load_all(rendered_with(overlay, names), yaml.CSafeLoader))


@cache
def rendered_with(overlay: str, names: Names) -> str:
    """As `render_with`, as kubectl writes it."""
    source = ROOT / "manifests" / "overlays" / overlay
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve() / "overlay"
        shutil.copytree(source, here)
        file = here / "kustomization.yaml"
        file.write_text(
            yaml.safe_dump(_taking(yaml.safe_load(file.read_text(encoding="utf-8")), source, here, names))
        )
        done = subprocess.run(
            [KUBECTL, "kustomize", here], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _taking(kustomization: dict[str, Any], source: Path, here: Path, names: Names) -> dict[str, Any]:
    def moved(path: str) -> str:
        return os.path.relpath(source / path, here) if path.startswith("..") else path

    own = {Path(path).name for path in kustomization.get("components", [])}
    excluded = {name for name in own for other in names if _exclude(name, other)}
    taken = [name for name in table() if name in (own - excluded) | set(names)]
    paths = [os.path.relpath(COMPONENTS / name, here) for name in taken]
    return kustomization | {
        "resources": [moved(path) for path in kustomization["resources"]],
        "components": paths,
    }


def _exclude(one: str, other: str) -> bool:
    return other in table()[one].excludes or one in table()[other].excludes


def folders() -> set[str]:
    """Names of the components' folders."""
    return {file.parent.name for file in COMPONENTS.glob("*/kustomization.yaml")}
