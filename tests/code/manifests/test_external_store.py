"""A code store that is run elsewhere: nothing of it is here, and clients reach it where the overlay says, and nowhere else."""

from typing import Any

from tests.support.components import CLIENT_LABELS, render_with, templates
from tests.support.manifests import Manifest, Peer, allowed, of_kind

NOWHERE, STORE = Peer(address="192.0.2.1"), Peer(address="198.51.100.7")
DNS = Peer({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
CLIENT = Peer(CLIENT_LABELS)


def peers(manifests: list[Manifest]) -> Any:
    return of_kind(manifests, "NetworkPolicy")["codestore-external"]["spec"]["egress"][0]["to"]


def test_nothing_of_the_store_is_left() -> None:
    manifests = render_with("external-store")
    left = {
        (own["kind"], own["metadata"]["name"])
        for own in manifests
        if own["metadata"]["name"].startswith("codestore")
    }
    assert left == {("NetworkPolicy", "codestore-clients"), ("NetworkPolicy", "codestore-external")}
    assert not of_kind(manifests, "StatefulSet")


def test_clients_reach_it_where_the_overlay_says() -> None:
    manifests = render_with("external-store")
    assert allowed(manifests, CLIENT, NOWHERE, 6379)  # which is nobody's address
    assert not allowed(manifests, CLIENT, STORE, 6379)
    assert allowed(manifests, CLIENT, DNS, 53)
    peers(manifests)[0]["ipBlock"]["cidr"] = "198.51.100.0/24"
    assert allowed(manifests, CLIENT, STORE, 6379)
    assert not allowed(manifests, CLIENT, STORE, 6380)
    assert not allowed(manifests, CLIENT, NOWHERE, 6379)
    assert not allowed(manifests, Peer({"app": "stranger"}), STORE, 6379)


def test_a_private_authority_is_known_to_all_clients() -> None:
    for template in templates(render_with("external-store", "authority")).values():
        (container,) = template["spec"]["containers"]
        assert "/etc/codestore" in {mount["mountPath"] for mount in container["volumeMounts"]}
