"""The certificate of a code store with TLS is rotated, while it is searched and written to through it."""

import subprocess
import time
from pathlib import Path

from tests.cluster import restored
from tests.cluster.load import for_a_while
from tests.cluster.pods import Namespace, wait
from tests.cluster.record import Told
from tests.cluster.world import World

_BESIDE_SECONDS = 10.0
_PATIENCE_SECONDS = (
    300.0  # a kubelet looks for changed Secrets about once a minute, and the server as often for its files
)


def certificate(world: World) -> Told:
    """Another one of the same authority, put into the Secret; nobody restarts anything."""
    (first, _) = world.generations
    world.settle(first)
    backup = restored.back_up(world)
    space = Namespace(world.node, "taxohash-tls")
    folder = world.folder / "certificates"
    folder.mkdir(exist_ok=True)
    _openssl(
        *("req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "30", "-subj", "/CN=codestore-ca"),
        *("-out", folder / "ca.crt", "-keyout", folder / "ca.key"),
    )
    space.make()
    space.put(_authority(folder))
    _put(space, folder)
    try:
        restored.restore(world, backup, space, "tls")
        space.rolled_out("deployment/retrieval")
        address = f"{space.pods('codestore')[0]['status']['podIP']}:6379"
        before = _shown(world, address)
        pods = {name: space.names(name) for name in ("codestore", "retrieval")}
        with world.searched(space) as load, world.written(first, space) as writes:
            for_a_while(_BESIDE_SECONDS)
            begun = time.monotonic()
            _put(space, folder)
            wait(lambda: _shown(world, address) != before, "another certificate is shown", _PATIENCE_SECONDS)
            taken = time.monotonic() - begun
            for_a_while(_BESIDE_SECONDS)
        assert {name: space.names(name) for name in pods} == pods, "a certificate needs no other pods"
        acknowledged = writes.acknowledged()
        lost = len(world.missing(acknowledged, space))
    finally:
        restored.removed(world, space)
    return Told(
        what="the code store's certificate is rotated (TLS)",
        searches=world.truth.counted(load.samples()),
        written=len(acknowledged),
        lost=lost,
        seconds={"the new one is shown": taken},
        notes=[f"{writes.refused()} of {len(writes.samples())} writes were refused meanwhile"],
    )


def _authority(folder: Path) -> dict[str, object]:
    data = {"ca.crt": (folder / "ca.crt").read_text()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "codestore-ca"}, "data": data}


def _put(space: Namespace, folder: Path) -> None:
    """Sign another certificate, and put it into its Secret."""
    _openssl(
        *("req", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=codestore"),
        *("-addext", "subjectAltName=DNS:codestore,DNS:*.codestore"),
        *("-out", folder / "tls.csr", "-keyout", folder / "tls.key"),
    )
    _openssl(
        *("x509", "-req", "-in", folder / "tls.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"),
        *("-copy_extensions", "copy", "-days", "9", "-out", folder / "tls.crt"),
    )
    space.secret("codestore-tls", {name: (folder / name).read_text() for name in ("tls.crt", "tls.key")})


def _shown(world: World, address: str) -> str:
    """The fingerprint of the certificate that the store's server shows."""
    script = f"openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
    return world.node.inside("sh", "-c", script, check=False).stdout


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
