"""What the scenes happen in: the shipped manifests on the node, a bucket beside it, two generations made by pods of pipelines."""

import json
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from services import settings
from services.codestore.accounts import write_accounts
from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.cluster.answers import Truth
from tests.cluster.bucket import BUCKET, Bucket, bucket
from tests.cluster.images import load_images
from tests.cluster.load import Load, Query, ask_once, load
from tests.cluster.node import Node
from tests.cluster.overlay import Overlay
from tests.cluster.pods import Namespace, wait
from tests.support.keyring import Keyring
from tests.support.miniature import TAXONOMY, make_dataset, picture

NAMESPACE = "taxohash-dev"
REPLICAS = 2
_COMPONENTS = ("writes", "backup", "backup-s3")
_QUERIES = 24
_PUTS, _WRITE_RATE = 5000, 5.0


@dataclass
class World:
    """All of it.

    Attributes:
        folder: for what the scenes need and make, outside of the cluster.
        space: the namespace that the scenes share.
        report: tells what happens.
        generations: the first that a pipeline made, which is published when a scene begins, and the second.
    """

    node: Node
    folder: Path
    bucket: Bucket
    report: Callable[[str], None]
    space: Namespace
    keys: Keyring
    generations: list[str] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    _loads: int = 0

    @property
    def truth(self) -> Truth:
        """What generations say."""
        return Truth(self.folder / "generations")

    def overlay(self, *components: str, **more: Any) -> Overlay:
        """What is applied, with components, patches or a namespace of a scene."""
        given = {"namespace": NAMESPACE, "replicas": {"retrieval": REPLICAS}} | more
        return Overlay(components=(*_COMPONENTS, *components), **given)

    def apply(self, overlay: Overlay) -> None:
        """Apply an overlay."""
        self.node.apply(overlay.rendered(self.folder / "overlays" / overlay.namespace))

    def install(self, space: Namespace, address: str = "redis://codestore:6379/0") -> None:
        """A namespace with all Secrets that the README names.

        Args:
            address: of its code store.
        """
        space.make()
        accounts = self.folder / "accounts" / space.name
        accounts.mkdir(parents=True, exist_ok=True)
        write_accounts(accounts, address)
        space.secret("codestore-acl", {"users.acl": (accounts / "users.acl").read_text()})
        for account in ("reader", "writer", "admin"):
            space.secret(f"codestore-{account}", {"url": (accounts / f"{account}.url").read_text()})
        space.secret(
            "pictures",
            {
                settings.GENERATIONS.name: f"s3://{BUCKET}/generations",
                settings.PICTURES.name: f"s3://{BUCKET}/pictures",
                "BACKUPS": f"s3://{BUCKET}/backups",
                **self.bucket.variables,
            },
        )
        space.secret("trigger", {"token": secrets.token_urlsafe(24)})
        self.put_keys(space)

    def put_keys(self, space: Namespace) -> None:
        """Put the file of API keys as it is now."""
        space.secret("retrieval-api-keys", {"api-keys.json": self.keys.path.read_text()})

    def admin(self, *words: str, space: Namespace | None = None) -> str:
        """What `taxohash store` prints to an operator, in a pod that has the admin's address."""
        return (space or self.space).run("deployment/trigger", "taxohash", "store", *words)

    def published(self, space: Namespace | None = None) -> str | None:
        """The generation that is published, by the store."""
        told = json.loads(self.admin("generations", "--json", space=space))
        return next((one["ref"]["id"] for one in told if one["state"] == "published"), None)

    def publish(self, generation: str) -> float:
        """Move the pointer to a generation; when that was, as a Unix time."""
        return self._moved("publish", generation, "--why", "a scene")

    def roll_back(self) -> float:
        """Go back to the generation before; when that was, as a Unix time."""
        return self._moved("rollback", "--why", "a scene")

    def settle(self, generation: str) -> None:
        """Have a generation published, and served by as many pods as there are at first."""
        if self.published() != generation:
            self.publish(generation)
        self.space.kubectl("scale", "deployment/retrieval", f"--replicas={REPLICAS}")
        self.space.rolled_out("deployment/retrieval")
        self.all_serve(generation)

    def all_serve(self, generation: str, seconds: float = 60.0) -> None:
        """Wait until each pod of the service serves a generation."""
        wait(
            lambda: set(self.serving().values()) == {generation},
            f"{generation} is served by all pods, which serve {self.serving()}",
            seconds,
        )

    def serving(self) -> dict[str, str | None]:
        """By the name of each pod of the service what it says that it serves."""
        return {name: self.readiness(name).get("generation") for name in self.space.names("retrieval")}

    def readiness(self, pod: str) -> dict[str, Any]:
        """What a pod of the service says of itself; nothing where it is not ready."""
        path = f"/api/v1/namespaces/{self.space.name}/pods/{pod}:3000/proxy/readyz"
        told = self.node.kubectl("get", "--raw", path, check=False)
        found: dict[str, Any] = json.loads(told.stdout) if told.returncode == 0 else {}
        return found

    def _moved(self, *words: str) -> float:
        self.admin(*words)
        when: float = json.loads(self.admin("audit", "--most", "1", "--json"))[0]["when"]
        return when

    @contextmanager
    def searched(self, space: Namespace | None = None, key: str = "search") -> Iterator[Load]:
        """Searched through the Service for as long as the block."""
        url = (space or self.space).address("retrieval")
        with load(self.node, url, self.keys.secrets[key], self.queries, self._file()) as found:
            yield found

    @contextmanager
    def written(self, generation: str, space: Namespace | None = None) -> Iterator[Load]:
        """Items are put for as long as the block, each with a code of the generation that is served, far from all that is searched for."""
        url, code, part = (space or self.space).address("retrieval"), self._far(), secrets.token_hex(4)
        queries = [Query(put=f"{part}/{number}", code=code, generation=generation) for number in range(_PUTS)]
        secret = self.keys.secrets["write"]
        with load(self.node, url, secret, queries, self._file(), _WRITE_RATE) as found:
            yield found

    def missing(self, items: Sequence[str], space: Namespace | None = None) -> list[str]:
        """Those that the service does not have."""
        url, secret = (space or self.space).address("retrieval"), self.keys.secrets["search"]
        queries = [Query(get=item) for item in items]
        told = ask_once(self.node, url, secret, queries, self._file())
        outcomes = Counter(sample.outcome for sample in told)
        assert sum(outcomes[known] for known in ("200", "404")) == len(items), f"not all answered: {outcomes}"
        return [sample.query.get for sample in told if sample.outcome == "404"]

    def pictures(self) -> list[Query]:
        """Of what is asked, those by picture."""
        return [query for query in self.queries if query.picture]

    def _file(self) -> Path:
        self._loads += 1
        return self.folder / f"load-{self._loads}.jsonl"

    def _far(self) -> str:
        """A code, in hexadecimal, that is as far from all items of the first generation as one of many by chance is."""
        hasher = self.fetch(self.generations[0])
        bits = hasher.generation.bits
        drawn = np.random.default_rng(3).integers(0, 2, (2000, bits), np.uint8)
        own = unpack(np.unique(hasher.codes, axis=0), bits)
        nearest = (drawn[:, None] != own[None]).sum(axis=2).min(axis=1)
        found: bytes = np.packbits(drawn[nearest.argmax()]).tobytes()
        return found.hex()

    def fetch(self, generation: str) -> Hasher:
        """The files of a generation that a pipeline has put into the bucket."""
        folder = self.folder / "generations" / generation
        if not folder.exists():
            self.bucket.fetch(f"generations/{generation}", folder)
        return Hasher(folder)

    def ask(self) -> Sequence[Query]:
        """Pictures of every class, and the codes that the first generation has for them."""
        random = np.random.default_rng(7)
        shown = [picture([number % len(TAXONOMY)], random) for number in range(_QUERIES)]
        hasher = self.fetch(self.generations[0])
        codes = hasher.encode(decode(one) for one in shown)
        both = zip(shown, codes, strict=True)
        self.queries = [
            query for own, code in both for query in (Query(picture=own), Query(code=code.tobytes().hex()))
        ]
        return self.queries


@contextmanager
def world(node: Node, report: Callable[[str], None]) -> Iterator[World]:
    """A node with images, volumes, a bucket and a namespace with Secrets; nothing is applied yet."""
    folder = node.home / "story"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    load_images(node, report)
    (node_object,) = json.loads(node.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    addresses = {one["type"]: one["address"] for one in node_object["status"]["addresses"]}
    (folder / "bucket").mkdir()
    with bucket(node, folder / "bucket", addresses["InternalIP"]) as found:
        space = Namespace(node, NAMESPACE)
        all_of_it = World(node, folder, found, report, space, Keyring(folder / "api-keys.json"))
        node.volume("work", "10Gi", ("ReadWriteOnce",), claim=f"{NAMESPACE}/taxohash-work")
        node.volume("codes", "4Gi", ("ReadWriteOnce",), claim=f"{NAMESPACE}/data-codestore-0")
        make_dataset(node.volumes / "work" / "data", train=360, test=60)
        all_of_it.install(space)
        yield all_of_it
