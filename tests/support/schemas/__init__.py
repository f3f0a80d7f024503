"""What is wrong with a manifest by the schema of its kind, unknown fields too."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

from tests.support.manifests import Manifest

HERE = Path(__file__).parent
VERSIONS = (
    "1.30",
    "1.34",
    "1.37",
)  # the oldest and the newest of Kubernetes that are promised, and one between
# The schemas that kubernetes-validate brings. It reads 2 MB anew for each object, and there are thousands here.
KUBERNETES = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"


def fault(manifest: Manifest, version: str) -> str:
    """Nothing, where it is as its kind has to be in a version of Kubernetes."""
    return _fault(json.dumps(manifest, sort_keys=True), version)


@cache
def _fault(text: str, version: str) -> str:
    manifest = json.loads(text)
    own, api, kind = (
        f"{manifest['kind']} {manifest['metadata']['name']}",
        manifest["apiVersion"],
        manifest["kind"],
    )
    validator = _custom(api, kind) or _of_kubernetes(api, kind, version)
    if validator is None:
        return f"{own}: there is no schema for {api} {kind}"
    errors = sorted(validator.iter_errors(manifest), key=lambda error: error.json_path)
    return f"{own}: {errors[0].json_path}: {errors[0].message}" if errors else ""


@cache
def _custom(api: str, kind: str) -> Any:
    """What tells the errors of a custom resource; None of a kind of Kubernetes itself."""
    file = HERE / f"{api.replace('/', '_')}_{kind}.json"
    return Draft202012Validator(_read(file)) if file.is_file() else None


@cache
def _of_kubernetes(api: str, kind: str, version: str) -> Any:
    """Likewise, of a kind of Kubernetes; None where a version has none of it."""
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
    file = KUBERNETES / f"v{version}.0-local-strict" / f"{kind.lower()}-{group}.json"
    return Draft202012Validator(_read(file), registry=_definitions(version)) if file.is_file() else None


@cache
def _definitions(version: str) -> Any:
    file = KUBERNETES / f"v{version}.0-local-strict" / "_definitions.json"
    return Resource.from_contents(_read(file)) @ Registry()


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
