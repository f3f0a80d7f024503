"""The pipelines as a cluster takes them, in two forms: NAME.yaml for Kubeflow's API, NAME-kubernetes.yaml as objects of Kubernetes.

python -m pipelines.compiled        writes them anew
"""

import hashlib
import importlib
import warnings
from pathlib import Path
from typing import Any

from pipelines.shared.placement import Placement, placed

FOLDER = Path(__file__).parent
NAMES = ("retrain", "reindex", "drift", "sweep")


def package(name: str) -> Path:
    """The file of a pipeline that Kubeflow's API takes, placed as `Placement()` says."""
    return FOLDER / f"{name}.yaml"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write both forms of every pipeline."""
    packages = [write_package(name, folder / f"{name}.yaml") for name in NAMES]
    return packages + [write_objects(file) for file in packages]


def write_package(name: str, file: Path, placement: Placement | None = None) -> Path:
    """Write the form for the API."""
    _compile(name, file, placement)
    return file


def write_objects(package: Path) -> Path:
    """Write the form for git beside a package: a Pipeline and a PipelineVersion, whose name tells its content, as none ever changes."""
    from kfp.compiler import KubernetesManifestOptions

    title = f"taxohash-{package.stem}"
    options = KubernetesManifestOptions(
        pipeline_name=title,
        pipeline_version_name=f"{title}-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}",
        include_pipeline_manifest=True,
    )
    file = package.with_name(f"{package.stem}-kubernetes.yaml")
    _compile(package.stem, file, kubernetes_manifest_format=True, kubernetes_manifest_options=options)
    return file


def _compile(name: str, file: Path, placement: Placement | None = None, **options: Any) -> None:
    from kfp import compiler

    pipeline = getattr(importlib.import_module(f"pipelines.{name}.pipeline"), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kfp's, about itself
        compiler.Compiler().compile(
            placed(pipeline, placement) if placement else pipeline, str(file), **options
        )
