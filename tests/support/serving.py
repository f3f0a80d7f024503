"""A real service for the system tests: a made generation, its codes in a store, BentoML in front."""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from services.codestore import CodeStore, GenerationRef, Item
from services.codestore.pictures import Pictures
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.generations import TAXONOMY, pictures
from tests.support.hostile_ids import HOSTILE_IDS

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "signs"
ITEMS = 700
PICTURES = pictures(ITEMS)
IDS = [f"item {i}" for i in range(ITEMS - len(HOSTILE_IDS))] + HOSTILE_IDS
LABELS = [i % 5 for i in range(ITEMS)]
TAGS = (("summer",), ())  # of items in turn
START_SECONDS = 120


@dataclass(frozen=True)
class Service:
    url: str
    pid: int
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def post(self, picture: bytes = PICTURES[3], **fields: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}/v1/search", files={"image": ("p.png", picture)}, data=fields, timeout=60
        )

    def metric(self, sample: str, otherwise: float = 0.0) -> float:
        """Value of one line of /metrics, or what it is where there is none."""
        found = re.search(rf"^{re.escape(sample)} (.*)$", httpx.get(f"{self.url}/metrics").text, re.MULTILINE)
        return float(found[1]) if found else otherwise


def publish(url: str, folder: Path, collection: str = COLLECTION) -> None:
    """Put every item and its code into the store, and the pictures beside the generation."""
    hasher = Hasher(folder)
    ref = GenerationRef(hasher.generation.id, hasher.generation.bits, hasher.generation.taxonomy_sha256)
    codes = hasher.encode(decode(picture) for picture in PICTURES)
    with CodeStore.connect(url) as store:
        store.create(collection, TAXONOMY, segments=4)
        store.begin(collection, ref)
        thumbnails = Pictures.open(pictures_of(folder)).put_many(PICTURES)
        items = [
            Item(i, (label,), thumbnail=digest, tags=TAGS[row % 2])
            for row, (i, label, digest) in enumerate(zip(IDS, LABELS, thumbnails, strict=True))
        ]
        store.fill(collection, ref.id, items, codes)
        store.seal(collection, ref.id, len(items))
        store.publish(collection, ref.id)


def pictures_of(folder: Path) -> Path:
    """Where `publish` puts the pictures of a generation's items."""
    return folder.with_name(f"{folder.name}-pictures")


def environment(redis_url: str, home: Path, **more: str) -> dict[str, str]:
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("TAXOHASH_", "BENTOML_"))
    }
    return own | {
        "BENTOML_HOME": str(home),
        "TAXOHASH_REDIS_URL": redis_url,
        "TAXOHASH_COLLECTION": COLLECTION,
        "TAXOHASH_UPLOAD_SECONDS": "1.5",
        **more,
    }


def start(target: str, variables: dict[str, str], log: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """The starter of a service that is ready, and the service's address."""
    command = [sys.executable, "-m", "services.retrieval.server.main", target, "--port", "0"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=out)
    assert process.stdout is not None
    line = b""
    with process.stdout as lines:
        while not line.startswith(b"serving "):
            ready = select.select([lines], [], [], START_SECONDS)[0]
            line = lines.readline() if ready else b""
            if not line:
                process.terminate()
                process.wait()
                raise AssertionError(f"the service does not come up: {log.read_text()}")
    return process, line.decode().split()[1]


@contextmanager
def serving(target: str, variables: dict[str, str], folder: Path) -> Iterator[Service]:
    """A service that is ready; ended as by Ctrl-C."""
    process, url = start(target, variables, folder / "log")
    family = psutil.Process(process.pid).children(recursive=True)
    try:
        yield Service(url, process.pid, folder / "log")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode == 0
    assert not psutil.wait_procs(family, timeout=5)[1], "processes are left"
