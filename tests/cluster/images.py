"""The images of the project: made of the sources at hand, without Docker, and given to the node as archives."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from taxohash.errors import TaxohashError
from tests.cluster.node import Node, Unavailable
from tests.cluster.node.places import ROOT
from tests.cluster.node.unavailable import EXIT_CODE
from tests.support.generations import make_generation

SERVING = "taxohash-retrieval:dev"
PIPELINES = "taxohash/python-train:dev"

_GIVEN = os.environ.get("CLUSTER_IMAGES")  # a folder of archives that somebody else made
_MADE = ROOT / ".cache" / "images"  # by scripts/images
_ARCHIVES = {
    f"docker.io/library/{SERVING}": "taxohash-retrieval.tar",
    f"docker.io/{PIPELINES}": "python-train.tar",
}


def make_images(report: Callable[[str], None]) -> None:
    """Make them anew, of the sources as they are, unless a folder of archives was named.

    Raises:
        Unavailable: they cannot be made on this machine.
        TaxohashError: they cannot be made of these sources.
    """
    if _GIVEN:
        return
    home = _MADE / "bento"
    report("building the images of the service and of the pipelines")
    bento = [sys.executable, "-m", "services.retrieval.bento.build", str(_generation(_MADE / "generations"))]
    # What a search compiles is compiled in the pods: packing it takes minutes for each kind of CPU.
    _run([*bento, "--bento-home", str(home), "--kernels", "none"])
    _run(["sh", "scripts/images", "serving"], BENTOML_HOME=str(home))
    _run(["sh", "scripts/images", "pipelines"])


def load_images(node: Node, report: Callable[[str], None]) -> None:
    """Give the node what it lacks."""
    for image, archive in _ARCHIVES.items():
        if node.load_image(Path(_GIVEN or _MADE) / archive, image):
            report(f"image {image} is loaded")


def _generation(folder: Path) -> Path:
    """What the service's image packs; what is served is published on the node."""
    draft = folder / "new"
    made = folder / make_generation(draft, 0).id
    if made.exists():
        return made
    draft.rename(made)
    return made


def _run(words: list[str], **variables: str) -> None:
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"{' '.join(words)} does not say why"])[-1]
        raise Unavailable(said) if done.returncode == EXIT_CODE else TaxohashError(said)
