"""What the rules of a node let through is what tests/support/manifests.py says of the policies."""

import functools
import ipaddress
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from tests.cluster.node import network, policy
from tests.support import manifests
from tests.support.manifests import Peer

Manifest = dict[str, Any]
LABELS: list[dict[str, str]] = [{}, {"app": "a"}, {"app": "b"}, {"app": "a", "tier": "back"}]
SPACES = {"here": {}, "there": {"team": "x"}, "kube-system": {}}
OUTSIDE = "198.51.100.7"
EXCEPTED = "169.254.169.254"


def pod(namespace: str, labels: dict[str, str], address: str, port: int = 6379, **status: Any) -> Manifest:
    return {
        "metadata": {"namespace": namespace, "labels": labels, "uid": address},
        "spec": {"containers": [{"ports": [{"name": "redis", "containerPort": port}]}]},
        "status": {"podIP": address, "phase": "Running", **status},
    }


def namespaces() -> list[Manifest]:
    return [{"metadata": {"name": name, "labels": labels}} for name, labels in SPACES.items()]


class Table:
    """What iptables makes of rules, of the first packet of a connection that goes through the chain POLICY."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, list[tuple[dict[str, str], str, str]]] = {}
        for line in text.splitlines():
            if line.startswith("-A"):
                _, chain, *words, action, where = line.split()
                found = dict(zip(words[::2], words[1::2], strict=True))
                if "--ctstate" not in found:  # of a connection that is not new
                    self._lines.setdefault(chain, []).append((found, action, where))

    def passes(self, source: str, target: str, port: int, protocol: str = "tcp") -> bool:
        packet = {"-s": source, "-d": target, "-p": protocol, "--dport": str(port)}
        return self._walk("POLICY", packet)

    def _walk(self, chain: str, packet: dict[str, str]) -> bool:
        """False where it is dropped; True where it comes back."""
        for found, action, where in self._lines.get(chain, []):
            if all(_holds(flag, value, packet[flag]) for flag, value in found.items()):
                if where in ("RETURN", "REJECT", "DROP"):
                    return where == "RETURN"
                if action == "-g":
                    return self._walk(where, packet)
                if not self._walk(where, packet):
                    return False
        return True


def passes(text: str, source: str, target: str, port: int, protocol: str = "tcp") -> bool:
    return Table(text).passes(source, target, port, protocol)


@functools.cache
def _holds(flag: str, value: str, given: str) -> bool:
    match flag:
        case "-s" | "-d":
            return ipaddress.ip_address(given) in ipaddress.ip_network(value)
        case "-p":
            return given == value
        case "--dport":
            first, _, last = value.partition(":")
            return int(first) <= int(given) <= int(last or first)
    raise AssertionError(flag)


# -- against the semantics ---------------------------------------------------------------------------------------------

selectors: st.SearchStrategy[Manifest] = st.one_of(
    st.just({}),
    st.sampled_from([{"matchLabels": labels} for labels in LABELS[1:]]),
    st.just({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
)
spaces = st.sampled_from(
    [{}, {"matchLabels": {"team": "x"}}, {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}]
)
peers = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": spaces}, optional={"podSelector": selectors}),
    st.just({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}),
)
ports = st.sampled_from([{"port": 6379}, {"port": "redis"}, {"port": 443}, {"port": 53, "protocol": "TCP"}])


def rules_of(side: str) -> st.SearchStrategy[list[Manifest]]:
    one = st.fixed_dictionaries(
        {},
        optional={
            side: st.lists(peers, min_size=1, max_size=2),
            "ports": st.lists(ports, min_size=1, max_size=2),
        },
    )
    return st.lists(one, max_size=2)


@st.composite
def policies(draw: st.DrawFn) -> list[Manifest]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        kinds = draw(st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]))
        spec: Manifest = {"podSelector": draw(selectors), "policyTypes": kinds}
        spec |= {"ingress": draw(rules_of("from"))} if "Ingress" in kinds else {}
        spec |= {"egress": draw(rules_of("to"))} if "Egress" in kinds else {}
        metadata = {"namespace": "here", "name": f"policy-{number}"}
        made.append({"kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
    return made


@hypothesis.settings(max_examples=20)
@hypothesis.given(policies())
def test_rules_allow_what_policies_allow(given: list[Manifest]) -> None:
    where = [("here", labels) for labels in LABELS] + [("there", LABELS[1]), ("kube-system", {"tier": "dns"})]
    pods = [pod(name, labels, f"10.244.0.{number + 2}") for number, (name, labels) in enumerate(where)]
    table = Table(policy.rules(pods, namespaces(), given))
    ends = [(one["status"]["podIP"], _peer(one)) for one in pods] + [(OUTSIDE, manifests.OUTSIDE)]
    for source, sent in ends:
        for target, received in ends:
            if source != target:
                for port, name in (
                    (6379, "redis" if received.labels is not None else ""),
                    (443, ""),
                    (80, ""),
                ):
                    expected = manifests.allowed(given, sent, received, port, name)
                    assert table.passes(source, target, port) == expected, (sent, received, port)


def _peer(found: Manifest) -> Peer:
    name = found["metadata"]["namespace"]
    space = None if name == "here" else {"kubernetes.io/metadata.name": name, **SPACES[name]}
    return Peer(found["metadata"]["labels"], space)


# -- one by one --------------------------------------------------------------------------------------------------------


def of(spec: Manifest, *pods: Manifest) -> str:
    return policy.rules(pods, namespaces(), [{"metadata": {"namespace": "here", "name": "p"}, "spec": spec}])


CLIENT, STORE = pod("here", {"app": "a"}, "10.244.0.2"), pod("here", {"app": "b"}, "10.244.0.3")


def test_names_are_asked_of_kube_dns_alone() -> None:
    dns = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    rule = {"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}]}
    text = of({"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}, CLIENT, STORE)
    assert passes(text, "10.244.0.2", network.DNS, 53, "udp")
    assert not passes(text, "10.244.0.2", network.DNS, 53, "tcp")
    assert not passes(text, "10.244.0.2", "10.244.0.3", 53, "udp")
    closed = of({"podSelector": {}, "policyTypes": ["Egress"]}, CLIENT)
    assert not passes(closed, "10.244.0.2", network.DNS, 53, "udp")


def test_a_block_of_addresses_ends_at_its_exceptions_and_at_pods() -> None:
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}
    spec = {"podSelector": {}, "egress": [{"to": [block], "ports": [{"port": 443, "endPort": 445}]}]}
    text = of({**spec, "policyTypes": ["Egress"]}, CLIENT, pod("there", {}, "10.244.0.9"))
    assert passes(text, "10.244.0.2", OUTSIDE, 443)
    assert passes(text, "10.244.0.2", OUTSIDE, 445)
    assert not passes(text, "10.244.0.2", OUTSIDE, 446)
    assert not passes(text, "10.244.0.2", EXCEPTED, 443)
    assert not passes(text, "10.244.0.2", "10.244.0.9", 443)
    assert policy.outside("10.244.0.0/25", ()) == []
    assert policy.outside("2001:db8::/32", ()) == []


def test_who_is_not_known_yet_reaches_nobody() -> None:
    text = policy.rules([CLIENT], namespaces(), [])
    assert not passes(text, "10.244.0.77", OUTSIDE, 443)
    assert not passes(text, network.NODE, "10.244.0.77", 443)
    assert passes(text, "10.244.0.2", OUTSIDE, 443)


def test_addresses_of_pods_that_have_ended_are_others() -> None:
    ended = pod("here", {"app": "b"}, "10.244.0.2", phase="Succeeded")
    text = of({"podSelector": {"matchLabels": {"app": "b"}}, "policyTypes": ["Ingress"]}, ended, CLIENT)
    assert passes(text, OUTSIDE, "10.244.0.2", 80)


def test_a_policy_that_does_not_say_speaks_of_what_it_has() -> None:
    text = of({"podSelector": {}, "egress": []}, CLIENT)
    assert not passes(text, "10.244.0.2", OUTSIDE, 80)
    assert not passes(text, OUTSIDE, "10.244.0.2", 80)
    assert passes(of({"podSelector": {}}, CLIENT), "10.244.0.2", OUTSIDE, 80)


@pytest.mark.parametrize(
    ("operator", "values", "found"),
    [
        ("In", ["a"], True),
        ("In", ["b"], False),
        ("NotIn", ["b"], True),
        ("NotIn", ["a"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_expressions(operator: str, values: list[str] | None, found: bool) -> None:
    expression = {"key": "app", "operator": operator, "values": values}
    assert policy.matches({"matchExpressions": [expression]}, {"app": "a"}) is found
