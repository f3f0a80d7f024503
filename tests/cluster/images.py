"""The images that the manifests name, as `make images` leaves them, in the node."""

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.node import Node
from tests.cluster.programs import ROOT

SERVING = "docker.io/library/taxohash-retrieval:dev"
PIPELINES = "docker.io/taxohash/python-train:dev"
FOLDER = Path(os.environ.get("TAXOHASH_CLUSTER_IMAGES", ROOT / ".cache" / "images"))
_ARCHIVES = {SERVING: "taxohash-retrieval.tar", PIPELINES: "python-train.tar"}


def load_images(node: Node, report: Callable[[str], None]) -> None:
    """Load them, by the names that the overlay `dev` has for them.

    Raises:
        AssertionError: they are not made.
    """
    for image, name in _ARCHIVES.items():
        archive = FOLDER / name
        assert archive.exists(), f"{archive} is not there: `make images` makes it"
        report(f"{image} is loaded from {archive}")
        node.load_image(archive)
        own = _named(archive)
        if own != image:
            node.inside("ctr", "images", "tag", "--force", own, image)


def _named(archive: Path) -> str:
    """How containerd names what an archive holds."""
    with tarfile.open(archive) as opened:
        manifest = opened.extractfile("manifest.json")
        assert manifest
        name: str = json.load(manifest)[0]["RepoTags"][0]
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if rest else f"docker.io/library/{name}"
