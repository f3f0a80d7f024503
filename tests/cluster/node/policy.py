"""NetworkPolicies of a node, enforced by iptables between its pods, and from them to the node.

python -m tests.cluster.node.policy, within the node. Policies and pods are read again each second; a pod that was not seen yet reaches
nobody and is reached by nobody but the node. What the node itself sends to a pod, as probes, is let through, as Kubernetes has it.
"""

import functools
import hashlib
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from tests.cluster.node import network
from tests.cluster.node.api import Api, Manifest

_NAME_LABEL = "kubernetes.io/metadata.name"  # which namespaces have by themselves since 1.21
# The name server runs on the node; to policies it is the pod that it is elsewhere.
_DNS: Manifest = {
    "metadata": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "uid": "dns"},
    "spec": {
        "containers": [
            {
                "ports": [
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                ]
            }
        ]
    },
    "status": {"podIP": network.DNS, "phase": "Running"},
}


@dataclass(frozen=True)
class Side:
    """One of the two ways that a policy speaks of.

    Attributes:
        rules, peers: keys of a policy.
        own, other: iptables' words for the address of the pod and of its peer.
        chain: through which all of that way goes.
    """

    kind: str
    rules: str
    peers: str
    own: str
    other: str
    chain: str


_SIDES = (
    Side("Egress", "egress", "to", "-s", "-d", "EGRESS"),
    Side("Ingress", "ingress", "from", "-d", "-s", "INGRESS"),
)


@dataclass(frozen=True)
class Peer:
    """Whom a rule names: everyone, where both are None.

    Attributes:
        address: of a pod, or a block of addresses.
    """

    pod: Manifest | None = None
    address: str | None = None


def chains(text: str) -> list[str]:
    """Names of the chains in a text of `rules`."""
    return [line[1:].split()[0] for line in text.splitlines() if line.startswith(":")]


def rules(pods: Iterable[Manifest], namespaces: Iterable[Manifest], policies: Sequence[Manifest]) -> str:
    """What iptables-restore is to be given.

    Each way has a chain, that sends a pod selected by a policy on to a chain of its own. That one returns what any policy
    allows, and rejects the rest.

    Args:
        pods, namespaces, policies: all that the node has, as the API server shows them.
    """
    living = [pod for pod in pods if _lives(pod)] + [_DNS]
    labels = {_name(one): {_NAME_LABEL: _name(one), **_labels(one)} for one in namespaces}
    declared = ["POLICY", *(side.chain for side in _SIDES)]
    lines = ["-A POLICY -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"]
    lines += [f"-A POLICY -j {side.chain}" for side in _SIDES]
    for side in _SIDES:
        for pod in living:
            address = pod["status"]["podIP"]
            mine = [policy for policy in policies if _selects(policy, pod, side)]
            if not mine:
                lines.append(f"-A {side.chain} {side.own} {address} -j RETURN")
                continue
            chain = f"{side.chain[:2]}-{hashlib.sha256(pod['metadata']['uid'].encode()).hexdigest()[:16]}"
            declared.append(chain)
            lines.append(f"-A {side.chain} {side.own} {address} -g {chain}")
            allowed = (words for policy in mine for words in _allowed(policy, pod, side, living, labels))
            lines += [f"-A {chain} {words}-j RETURN" for words in dict.fromkeys(allowed)]
            lines.append(f"-A {chain} -j REJECT")
        lines.append(f"-A {side.chain} {side.own} {network.PODS} -j DROP")  # of whom nothing is known yet
    return "\n".join(["*filter", *(f":{name} - [0:0]" for name in declared), *lines, "COMMIT", ""])


def _lives(pod: Manifest) -> bool:
    """Whether a pod has its address for itself: that of one that has ended may be another's."""
    status = pod["status"]
    return (
        bool(status.get("podIP"))
        and not pod["spec"].get("hostNetwork")
        and status["phase"] in ("Pending", "Running")
    )


def _selects(policy: Manifest, pod: Manifest, side: Side) -> bool:
    spec = policy["spec"]
    kinds = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return (
        side.kind in kinds
        and _namespace(policy) == _namespace(pod)
        and matches(spec.get("podSelector") or {}, _labels(pod))
    )


def _allowed(
    policy: Manifest,
    pod: Manifest,
    side: Side,
    pods: Sequence[Manifest],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    """iptables' words for each thing that a policy allows one of its pods."""
    for rule in policy["spec"].get(side.rules) or []:
        for peer in _peers(policy, rule, side, pods, namespaces):
            where = f"{side.other} {peer.address} " if peer.address else ""
            target = pod if side.kind == "Ingress" else peer.pod
            yield from (f"{where}{port}" for port in _ports(rule.get("ports") or [], target))


def _peers(
    policy: Manifest,
    rule: Manifest,
    side: Side,
    pods: Sequence[Manifest],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Iterator[Peer]:
    if not rule.get(side.peers):
        yield Peer()
        if any(isinstance(port.get("port"), str) for port in rule.get("ports") or []):
            yield from (Peer(pod, pod["status"]["podIP"]) for pod in pods)  # the name is each pod's own
    for peer in rule.get(side.peers) or []:
        if block := peer.get("ipBlock"):
            for part in outside(block["cidr"], tuple(block.get("except") or ())):
                yield Peer(address=str(part))
            continue
        for pod in pods:
            home = _namespace(pod)
            if "namespaceSelector" in peer:
                within = matches(peer["namespaceSelector"], namespaces.get(home) or {_NAME_LABEL: home})
            else:
                within = home == _namespace(policy)
            if within and matches(peer.get("podSelector") or {}, _labels(pod)):
                yield Peer(pod, pod["status"]["podIP"])


@functools.cache
def outside(cidr: str, excepted: tuple[str, ...]) -> list[IPv4Network]:
    """A block without its exceptions and without pods: policies that let pods through by their addresses hold on few networks."""
    left = [ip_network(cidr)]
    for gap in (*map(ip_network, excepted), network.PODS, ip_network(network.DNS)):
        left = [part for block in left for part in _without(block, gap)]
    return [block for block in left if isinstance(block, IPv4Network)]


def _without(block: IPv4Network | IPv6Network, gap: IPv4Network | IPv6Network) -> list[Any]:
    if block.version != gap.version or not block.overlaps(gap):
        return [block]
    return [] if block.subnet_of(gap) else list(block.address_exclude(gap))  # type: ignore[arg-type]


def _ports(ports: Sequence[Manifest], target: Manifest | None) -> Iterator[str]:
    """iptables' words for ports, by name those of the pod that is talked to."""
    if not ports:
        yield ""
    for one in ports:
        protocol, port = one.get("protocol", "TCP"), one.get("port")
        if isinstance(port, str):
            numbers = [str(number) for number in _named(target, port, protocol)]
        elif port is None:
            yield f"-p {protocol.lower()} "
            continue
        else:
            numbers = [f"{port}:{one['endPort']}" if "endPort" in one else str(port)]
        yield from (f"-p {protocol.lower()} --dport {number} " for number in numbers)


def _named(pod: Manifest | None, name: str, protocol: str) -> Iterator[int]:
    for container in pod["spec"]["containers"] if pod else []:
        for port in container.get("ports") or []:
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                yield port["containerPort"]


def matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a selector is that of labels. An empty one is that of all."""
    wanted = (selector.get("matchLabels") or {}).items()
    return wanted <= dict(labels).items() and all(
        _holds(one, labels) for one in selector.get("matchExpressions") or []
    )


def _holds(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"]["namespace"])


def _labels(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("labels") or {}


# -- the program -------------------------------------------------------------------------------------------------------


def main() -> None:
    api, last = Api(), ""
    while True:
        try:
            text = rules(
                api.items("/api/v1/pods"),
                api.items("/api/v1/namespaces"),
                api.items("/apis/networking.k8s.io/v1/networkpolicies"),
            )
            if text != last:
                _restore(text, last)
                last = text
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"policy: {error}", flush=True)
        time.sleep(1)


def _restore(text: str, last: str) -> None:
    """Put rules in the place of the last ones, all at once."""
    gone = [name for name in chains(last) if name not in chains(text)]
    dropped = "".join([*(f":{name} - [0:0]\n" for name in gone), *(f"-X {name}\n" for name in gone)])
    whole = text.replace("COMMIT\n", f"{dropped}COMMIT\n")
    subprocess.run(["iptables-restore", "--noflush"], input=whole, text=True, check=True)
    for chain in ("FORWARD", "INPUT"):
        if subprocess.run(
            ["iptables", "-C", chain, "-j", "POLICY"], capture_output=True, check=False
        ).returncode:
            subprocess.run(["iptables", "-I", chain, "1", "-j", "POLICY"], check=True)


if __name__ == "__main__":
    main()
