"""Settings of a node's daemons, and the words they are started with. Paths are those within the node."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.node import network

HOME = Path("/run/node")  # the folder of the node, as it is seen within
PKI = HOME / "pki"
CONTAINERD = Path("/run/containerd/containerd.sock")
PAUSE = "registry.k8s.io/pause:3.2"
_ETCD = "http://127.0.0.1:2379"


def files(root: Path) -> dict[str, str]:
    """Texts of the files that daemons read, by their names.

    Args:
        root: where Debian's packages are unpacked.
    """
    return {
        "cni/10-bridge.conflist": json.dumps(_CNI),
        "containerd.toml": _CONTAINERD.format(cni=root / "usr/lib/cni", disabled=", ".join(_DISABLED)),
        "kubelet.yaml": json.dumps(_KUBELET),
        "kube-proxy.yaml": json.dumps(_KUBE_PROXY),
        "resolv.conf": "",  # nothing outside can be resolved
    }


def path_of(programs: Path) -> str:
    """Where a node's programs are looked for: first those that find their libraries."""
    own = [programs / name for name in ("shim", "bin", "root/usr/bin", "root/usr/sbin")]
    return ":".join([*map(str, own), "/usr/sbin:/usr/bin:/sbin:/bin"])


def words(python: str) -> Mapping[str, list[str]]:
    """What to start, by name, in the order of what needs what.

    Args:
        python: the program that runs what is ours.
    """

    def ours(name: str) -> list[str]:
        return [python, "-m", f"tests.cluster.node.{name}"]

    return {
        "etcd": ["etcd", *_flags(_ETCD_FLAGS)],
        "containerd": ["containerd", "--config", str(HOME / "containerd.toml")],
        "apiserver": ["kube-apiserver", *_flags(_API_SERVER)],
        "controller-manager": ["kube-controller-manager", *_flags(_CONTROLLER_MANAGER)],
        "scheduler": ["kube-scheduler", *_flags(_SCHEDULER)],
        "kubelet": ["kubelet", *_flags(_KUBELET_FLAGS)],
        "kube-proxy": ["kube-proxy", *_flags({"config": HOME / "kube-proxy.yaml"})],
        "dns": ours("dns"),
        "policy": ours("policy"),
        "metrics": ours("metrics"),
    }


def _flags(values: Mapping[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


# Nobody needs the state of a node after a power cut.
_ETCD_FLAGS = {
    "data-dir": HOME / "etcd",
    "listen-client-urls": _ETCD,
    "advertise-client-urls": _ETCD,
    "unsafe-no-fsync": "true",
}

_API_SERVER = {
    "etcd-servers": _ETCD,
    "secure-port": network.API_PORT,
    "bind-address": "0.0.0.0",
    "advertise-address": network.NODE,
    "service-cluster-ip-range": network.SERVICES,
    "tls-cert-file": PKI / "apiserver.crt",
    "tls-private-key-file": PKI / "apiserver.key",
    "client-ca-file": PKI / "ca.crt",
    "kubelet-client-certificate": PKI / "admin.crt",
    "kubelet-client-key": PKI / "admin.key",
    "kubelet-certificate-authority": PKI / "ca.crt",
    "kubelet-preferred-address-types": "InternalIP",
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-signing-key-file": PKI / "tokens.key",
    "service-account-key-file": PKI / "tokens.key",
    "proxy-client-cert-file": PKI / "front-proxy.crt",
    "proxy-client-key-file": PKI / "front-proxy.key",
    "requestheader-client-ca-file": PKI / "ca.crt",
    "requestheader-allowed-names": "front-proxy",
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction,PodSecurityPolicy",
    "enable-aggregator-routing": "true",
    "feature-gates": "TTLAfterFinished=true",  # as every release has it since 1.21
}

_CONTROLLER_MANAGER = {
    "kubeconfig": PKI / "controller-manager.conf",
    "authentication-kubeconfig": PKI / "controller-manager.conf",
    "authorization-kubeconfig": PKI / "controller-manager.conf",
    "service-account-private-key-file": PKI / "tokens.key",
    "root-ca-file": PKI / "ca.crt",
    "use-service-account-credentials": "true",
    "leader-elect": "false",
    "horizontal-pod-autoscaler-sync-period": "10s",
    "feature-gates": "TTLAfterFinished=true",
}

_SCHEDULER = {
    "kubeconfig": PKI / "scheduler.conf",
    "authentication-kubeconfig": PKI / "scheduler.conf",
    "authorization-kubeconfig": PKI / "scheduler.conf",
    "leader-elect": "false",
}

_KUBELET_FLAGS = {
    "config": HOME / "kubelet.yaml",
    "kubeconfig": PKI / "kubelet.conf",
    "root-dir": HOME / "kubelet",
    "container-runtime": "remote",
    "container-runtime-endpoint": f"unix://{CONTAINERD}",
    "hostname-override": network.NAME,
    "node-ip": network.NODE,
    "pod-infra-container-image": PAUSE,
}

_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": network.NODE,
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": str(PKI / "ca.crt")},
    },
    "authorization": {"mode": "Webhook"},
    "tlsCertFile": str(PKI / "kubelet.crt"),
    "tlsPrivateKeyFile": str(PKI / "kubelet.key"),
    "clusterDomain": network.DOMAIN,
    "clusterDNS": [network.DNS_SERVICE],
    "resolvConf": str(HOME / "resolv.conf"),
    "cgroupDriver": "cgroupfs",
    "failSwapOn": False,
    "oomScoreAdj": 0,  # a lower one needs CAP_SYS_RESOURCE
    "enforceNodeAllocatable": ["pods"],
    # The disk is the whole machine's: how full it is says nothing of the node.
    "evictionHard": {"memory.available": "100Mi"},
    "imageGCHighThresholdPercent": 100,
    "imageGCLowThresholdPercent": 99,
    "syncFrequency": "10s",
    "maxOpenFiles": 20000,  # more than the limit of this process need CAP_SYS_RESOURCE
}

_KUBE_PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "iptables",
    "clusterCIDR": str(network.PODS),
    "bindAddress": network.NODE,
    "hostnameOverride": network.NAME,
    "clientConnection": {"kubeconfig": str(PKI / "kube-proxy.conf")},
    # Bounds of the whole machine's table of connections are left as they are.
    "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
}

_CNI = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": str(network.PODS)}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": str(HOME / "addresses"),
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

_DISABLED = [f'"io.containerd.snapshotter.v1.{name}"' for name in ("aufs", "btrfs", "devmapper", "zfs")]

# restrict_oom_score_adj: without CAP_SYS_RESOURCE none is lowered.
_CONTAINERD = f"""\
version = 2
root = "{HOME}/containerd"
state = "/run/containerd"
disabled_plugins = [{{disabled}}]
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{cni}}"
    conf_dir = "{HOME}/cni"
"""
