"""The code store on three servers: brought together as often as one likes, mended when all have other addresses, never taken for empty."""

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from services.codestore import CodeStore
from tests.support.accounts import ACL, PASSWORDS
from tests.support.certificates import Authority
from tests.support.components import CLIENT_LABELS, Pod, needs_valkey, render_with, started, templates
from tests.support.manifests import OUTSIDE, Manifest, Peer, allowed, of_kind
from tests.support.stored import fill_collection

COUNT = 3
BUS = 10_000  # so far above its port a server listens to the others


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return render_with("redis-cluster")


def job(manifests: list[Manifest]) -> Manifest:
    (found,) = templates(manifests)["CronJob/codestore-cluster"]["spec"]["containers"]
    return dict(found)


def plain_variables(manifests: list[Manifest]) -> dict[str, str]:
    """Those that stand in the manifest, as Kubernetes fills them in."""
    found: dict[str, str] = {}
    for own in job(manifests)["env"]:
        if "value" in own:
            found[own["name"]] = re.sub(r"\$\((\w+)\)", lambda name: found[name[1]], own["value"])
    return found


def test_servers_talk_to_each_other_and_nobody_else_does_so(manifests: list[Manifest]) -> None:
    store = Peer(templates(manifests)["StatefulSet/codestore"]["metadata"]["labels"])
    for port, name in ((6379, "redis"), (6379 + BUS, "bus")):
        assert allowed(manifests, store, store, port, name)
        assert allowed(manifests, Peer(CLIENT_LABELS), store, port, name) == (name == "redis")
        assert not allowed(manifests, OUTSIDE, store, port, name)
    brings = Peer(templates(manifests)["CronJob/codestore-cluster"]["metadata"]["labels"])
    assert allowed(manifests, brings, store, 6379, "redis")


def test_servers_are_named_as_the_pods_are(manifests: list[Manifest]) -> None:
    servers = of_kind(manifests, "StatefulSet")["codestore"]["spec"]
    assert servers["replicas"] == COUNT
    names = [f"codestore-{number}.{servers['serviceName']}" for number in range(COUNT)]
    assert plain_variables(manifests)["SERVERS"].split() == names
    service = of_kind(manifests, "Service")[servers["serviceName"]]["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    (image,) = (
        own["image"]
        for own in templates(manifests)["StatefulSet/codestore"]["spec"]["containers"]
        if own["name"] == "valkey"
    )
    assert job(manifests)["image"] == image


class Servers:
    """The pods, each at an address of loopback of its own, at one port.

    Args:
        first: last number of the address of the first; what an earlier one left on disk is taken over from `before`.
    """

    def __init__(
        self, manifests: list[Manifest], folder: Path, first: int, before: "Servers | None" = None
    ) -> None:
        hosts = [f"127.0.0.{first + number}" for number in range(COUNT)]
        self.manifests = manifests
        self.authority = Authority(folder.with_suffix(".authority"))
        self.port: int = before.port if before else _free_port(hosts)
        names = {f"codestore-{number}.codestore": host for number, host in enumerate(hosts)}
        secrets = {
            "codestore-acl": {"users.acl": ACL},
            "codestore-tls": self.authority.certificate(days=2, hosts=hosts),
            "codestore-ca": {"ca.crt": self.authority.text},
        }
        self.pods: list[Pod] = []
        for number, host in enumerate(hosts):
            pod = Pod(
                manifests,
                folder / str(number),
                secrets,
                names=names,
                stand_ins={"hostname": f"#!/bin/sh\necho {host}\n"},
                host=host,
                port=self.port,
            )
            if before:
                data = before.pods[number].folder / "data"
                shutil.copytree(data, pod.folder / "data", dirs_exist_ok=True)
            self.pods.append(pod)

    def bring_together(self) -> tuple[int, str]:
        """What the CronJob does: its exit code, and what it says."""
        data = next(
            c["data"] for n, c in of_kind(self.manifests, "ConfigMap").items() if n.startswith("codestore")
        )
        pod = self.pods[0]
        variables = {name: pod.here(text) for name, text in plain_variables(self.manifests).items()}
        for own in job(self.manifests)["env"]:
            source = own.get("valueFrom", {})
            if "secretKeyRef" in source:
                assert source["secretKeyRef"] == {"name": "codestore-cluster", "key": "password"}
                variables[own["name"]] = PASSWORDS["cluster"]
            elif "configMapKeyRef" in source:
                variables[own["name"]] = pod.here(data.get(source["configMapKeyRef"]["key"], ""))
        done = pod.run(job(self.manifests)["command"], **variables)
        return done.returncode, done.stdout + done.stderr

    @contextmanager
    def connect(self, account: str) -> Iterator[CodeStore]:
        data = next(
            c["data"] for n, c in of_kind(self.manifests, "ConfigMap").items() if n.startswith("codestore")
        )
        tls = "also-tls.conf" in data
        place = self.pods[0].here(f"{self.pods[0].host}:6379/0" + "?ssl_ca_certs=/etc/codestore/ca.crt" * tls)
        url = f"redis{'s' * tls}://{account}:{quote(PASSWORDS[account])}@{place}"
        with CodeStore.connect(url, timeout=20) as store:
            yield store


def _free_port(hosts: list[str]) -> int:
    """That all of them can listen on, and so far above it too."""
    for port in range(21_000, 31_000):
        with ExitStack() as stack, suppress(OSError):
            for host in hosts:
                for own in (port, port + BUS):
                    stack.enter_context(socket.socket()).bind((host, own))
            return port
    raise AssertionError("no port is free")


@pytest.mark.system
@pytest.mark.slow
@needs_valkey
@pytest.mark.parametrize("components", [("redis-cluster",), ("redis-cluster", "tls")], ids="-".join)
def test_a_cluster_is_made_once_mended_and_never_taken_for_empty(
    components: tuple[str, ...], tmp_path: Path
) -> None:
    manifests = render_with(*components)
    servers = Servers(manifests, tmp_path / "first", 11)
    with started(*servers.pods):
        for _ in range(2):
            assert servers.bring_together() == (0, "the 3 servers are one cluster\n")
        with servers.connect("admin") as admin:
            fill_collection(admin, segments=8, count=200)
            items = admin.count("c")
        with servers.connect("reader") as reader:
            assert reader.count("c") == items
            assert len({address for address, _ in reader.server.on_primaries("PING")}) == COUNT
    # All of them at other addresses.
    moved = Servers(manifests, tmp_path / "second", 21, servers)
    with started(*moved.pods):
        assert moved.bring_together() == (0, "the 3 servers are one cluster\n")
        with moved.connect("reader") as reader:
            assert reader.count("c") == items
    # The disk of one is lost.
    lost = Servers(manifests, tmp_path / "third", 31, moved)
    shutil.rmtree(lost.pods[1].folder / "data")
    (lost.pods[1].folder / "data").mkdir()
    with started(*lost.pods):
        code, said = lost.bring_together()
        assert (code, said) == (
            1,
            "127.0.0.32 has lost its data, slots 5461 to 10921: restore a backup into a new store\n",
        )
