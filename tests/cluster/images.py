"""The images that the manifests name, as tar files in the node."""

import os
from collections.abc import Callable
from pathlib import Path

from tests.cluster.node import Node

SERVING = "taxohash-retrieval:dev"
PIPELINES = "taxohash/python-train:dev"
FOLDER = Path(os.environ.get("TAXOHASH_CLUSTER_IMAGES", "."))


def load_images(node: Node, report: Callable[[str], None]) -> None:
    """Load what the node lacks."""
    there = node.images()
    for image in (SERVING, PIPELINES):
        if not any(own.endswith(image) for own in there):
            report(f"image {image} is loaded")
            node.load_image(FOLDER / (image.replace("/", "-").replace(":", "-") + ".tar"))
