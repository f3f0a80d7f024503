"""A backup, and a namespace that is made of it."""

import json
import time
from typing import Any

from pipelines.shared.placement import Placement
from tests.cluster import pipeline
from tests.cluster.bucket import BUCKET
from tests.cluster.images import PIPELINES
from tests.cluster.pods import Namespace
from tests.cluster.world import World

TLS_ADDRESS = "rediss://codestore:6379/0?ssl_ca_certs=/etc/codestore/ca.crt"


def back_up(world: World) -> str:
    """Run the nightly backup now; the address of what it made."""
    name = f"backup-{int(time.time())}"
    world.space.kubectl("create", "job", name, "--from=cronjob/backup")
    code, log = pipeline.ended(world.space, name)
    assert code == 0, f"{name} ended with {code}: {log}"
    folder = world.bucket.fetch("backups", world.folder / name)
    return f"s3://{BUCKET}/backups/{max(own.name for own in folder.iterdir())}"


def restore(
    world: World, backup: str, space: Namespace, *components: str, size: str = "4Gi", capped: bool = False
) -> None:
    """Apply the manifests in an empty namespace, and fill its code store with a backup, which is published there.

    Args:
        size: of the code store's volume.
        capped: whether that really has no more.
    """
    claim = f"{space.name}/data-codestore-0"
    world.node.volume(f"{space.name}-codes", size, ("ReadWriteOnce",), claim=claim, capped=capped)
    world.node.volume(f"{space.name}-work", "10Gi", ("ReadWriteOnce",), claim=f"{space.name}/taxohash-work")
    (world.node.volumes / f"{space.name}-work").chmod(0o777)
    world.install(space, TLS_ADDRESS if "tls" in components else "redis://codestore:6379/0")
    claim_template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }
    patches = {("StatefulSet", "codestore"): {"spec": {"volumeClaimTemplates": [claim_template]}}}
    world.apply(world.overlay(*components, namespace=space.name, patches=patches))
    space.rolled_out("statefulset/codestore")
    _store(space, "restore", "restore", backup, "--publish", "--why", "from a backup")


def verified(space: Namespace, backup: str) -> None:
    """Have the collection compared with a backup, by the store's own command.

    Raises:
        AssertionError: they differ.
    """
    _store(space, "verify", "verify", "--against", backup)


def items(world: World, space: Namespace) -> int:
    """How many the code store says that there are."""
    told: dict[str, Any] = json.loads(world.admin("status", "--json", space=space))
    count: int = told["items"]
    return count


def removed(world: World, space: Namespace) -> None:
    """Delete a namespace, and what it had of volumes."""
    world.node.kubectl("delete", "namespace", space.name, "--wait=true", "--timeout=300s", timeout=330)
    for name in ("codes", "work"):
        world.node.kubectl("delete", "persistentvolume", f"{space.name}-{name}", check=False)


def _store(space: Namespace, job: str, *words: str) -> None:
    placement = Placement(namespace=space.name)
    space.kubectl("delete", "job", job, "--ignore-not-found")
    space.put(pipeline.job(placement, PIPELINES, job, ["taxohash", "store", *words]))
    code, log = pipeline.ended(space, job)
    assert code == 0, f"{job} ended with {code}: {log}"
