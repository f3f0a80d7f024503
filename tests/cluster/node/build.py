"""From nothing to the programs of a node, out of Debian's packages alone.

The control plane, kubelet, kube-proxy and kubectl are compiled from Debian's source package with its Go; etcd, containerd, runc, the
plugins of CNI and iptables are unpacked. What is made: `bin`, `root` (as packages lay it out) and `shim` (programs of `root` that
need libraries of `root`).
"""

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster.node.debian import Packages, unpack
from tests.cluster.node.places import HERE

SUITE = "bookworm"
RELEASE = "1.20.2"
DEBIAN_VERSION = "1.20.5+really1.20.2-1.1+deb12u1"
COMPILED = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
SOURCES = (Path(__file__), HERE / "debian.py", HERE / "pause.go")
GIGABYTES = 5  # while it works; 0.6 are kept

_UNPACKED = (
    *("etcd-server", "containerd", "runc", "containernetworking-plugins"),
    *("conntrack", "socat", "iptables", "libip4tc2", "libip6tc2", "libxtables12"),
    *("libmnl0", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11"),
    *("iproute2", "libbpf1", "libbsd0", "libcap2", "libelf1", "libmd0", "zlib1g"),
)
_TOOLS = ("golang-1.19-go", "golang-1.19-src", "golang-github-modern-go-reflect2-dev", "patch")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_STAGING = (  # parts of Kubernetes that have types of its API
    *("api", "apiextensions-apiserver", "apimachinery", "apiserver", "client-go", "cloud-provider"),
    *("component-base", "controller-manager", "kube-aggregator", "kube-controller-manager"),
    *("kube-proxy", "kube-scheduler", "kubelet", "metrics"),
)
# Programs of `root` that are called through `shim`: their path, and words that come first.
_SHIMS = {
    **{
        f"{family}{what}": ("usr/sbin/xtables-nft-multi", f"{family}{what}")
        for family in ("iptables", "ip6tables")
        for what in ("", "-save", "-restore")
    },
    "conntrack": ("usr/sbin/conntrack", ""),
    "ip": ("bin/ip", ""),
}


def build(folder: Path, report: Callable[[str], None]) -> None:
    """Make all programs below a folder, and leave nothing else there.

    Raises:
        Unavailable: a package is not to be had.
        subprocess.CalledProcessError: something did not compile.
    """
    work = folder / "work"
    report("fetching packages")
    packages = Packages(work / "apt", SUITE)
    for package in packages.fetch(_UNPACKED, work / "packages"):
        unpack(package, folder / "root")
    for package in packages.fetch(_TOOLS, work / "tools"):
        unpack(package, work / "go")
    packages.source("kubernetes", DEBIAN_VERSION, work / "source")
    report("unpacking the source of Kubernetes")
    tree = work / "gopath/src/k8s.io/kubernetes"
    _unpack_source(work / "source", tree, work / "go/usr/bin/patch")
    _renew_reflect2(tree, work / "go/usr/share/gocode/src/github.com/modern-go/reflect2")
    compiler = _Compiler(work, folder / "bin", tree)
    report("generating OpenAPI definitions")
    _generate_openapi(compiler, tree, work)
    for name in COMPILED:
        began = time.monotonic()
        compiler.compile(f"./cmd/{name}")
        report(f"compiled {name} in {time.monotonic() - began:.0f} s")
    compiler.compile(str(HERE / "pause.go"))
    for name, (program, word) in _SHIMS.items():
        _shim(folder / "shim" / name, program, word)
    shutil.rmtree(work)
    shutil.rmtree(folder / "root/usr/share", ignore_errors=True)


class _Compiler:
    """Debian's Go, as it was before modules.

    Args:
        work: has it in `go`, its cache and GOPATH beside.
        out: for what is compiled.
        tree: Kubernetes' source.
    """

    def __init__(self, work: Path, out: Path, tree: Path) -> None:
        root = work / "go/usr/lib/go-1.19"
        self.environment = {
            **os.environ,
            "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
            "GOROOT": str(root),
            "GOPATH": str(work / "gopath"),
            "GOCACHE": str(work / "cache"),
            "GO111MODULE": "off",
            "GOFLAGS": "",
            "CGO_ENABLED": "0",
        }
        self._out = out
        self._tree = tree
        out.mkdir(parents=True)

    def compile(self, package: str) -> None:
        """Compile a command; it tells the release that it is of."""
        base, client = (
            f"k8s.io/kubernetes/vendor/k8s.io/{name}"
            for name in ("component-base/version", "client-go/pkg/version")
        )
        major, minor, _ = RELEASE.split(".")
        told = {
            f"{where}.git{name}": value
            for where in (base, client)
            for name, value in (("Version", f"v{RELEASE}"), ("Major", major), ("Minor", minor))
        }
        flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in told.items())])
        self.run("go", "build", "-trimpath", "-ldflags", flags, "-o", f"{self._out}/", package)

    def run(self, *words: str | Path) -> None:
        """Run a command in Kubernetes' source, politely."""
        subprocess.run(["nice", *words], cwd=self._tree, env=self.environment, check=True)


def _unpack_source(fetched: Path, tree: Path, patch: Path) -> None:
    """Upstream's source with Debian's changes, as dpkg-source makes it; that may not be installed."""
    (upstream,) = fetched.glob("*.orig.tar.*")
    (changes,) = fetched.glob("*.debian.tar.*")
    with tarfile.open(upstream) as archive:
        archive.extractall(fetched / "upstream", filter="tar")
    (inner,) = (fetched / "upstream").iterdir()
    tree.parent.mkdir(parents=True)
    inner.rename(tree)
    with tarfile.open(changes) as archive:
        archive.extractall(tree, filter="tar")
    for line in (tree / "debian/patches/series").read_text().splitlines():
        if name := line.split("#")[0].strip():
            words: list[str | Path] = [patch, "-s", "-p1", "-F0", "-N", "-E", "-i", f"debian/patches/{name}"]
            subprocess.run(words, cwd=tree, check=True)


def _renew_reflect2(tree: Path, new: Path) -> None:
    """Put Debian's reflect2 in the place of the vendored 1.0.1.

    That iterates maps as Go did before 1.18: compiled by 1.19, the API server dies at the first custom resource.
    """
    old = tree / "vendor/github.com/modern-go/reflect2"
    for file in _sources(old):
        file.unlink()
    for file in _sources(new):
        shutil.copy(file, old)


def _sources(folder: Path) -> list[Path]:
    return [*folder.glob("*.go"), *folder.glob("*.s")]


def _generate_openapi(compiler: _Compiler, tree: Path, work: Path) -> None:
    """Make the one generated file that the source package leaves out."""
    generator = work / "openapi-gen"
    compiler.run("go", "build", "-o", generator, "./vendor/k8s.io/kube-openapi/cmd/openapi-gen")
    compiler.run(
        generator,
        *("-i", ",".join(f"k8s.io/kubernetes/{name}" for name in _with_types(tree))),
        *("-p", "k8s.io/kubernetes/pkg/generated/openapi"),
        *("-O", "zz_generated.openapi"),
        *("-h", "vendor/k8s.io/code-generator/hack/boilerplate.go.txt"),
        *("-r", work / "violations"),
    )


def _with_types(tree: Path) -> list[str]:
    """Folders of the source that ask for OpenAPI definitions of their types."""

    def files() -> Iterator[Path]:
        for part in ("pkg", *(f"vendor/k8s.io/{name}" for name in _STAGING)):
            yield from (tree / part).rglob("*.go")

    asking = {
        str(file.parent.relative_to(tree))
        for file in files()
        if not file.name.endswith("_test.go")
        and "cmd" not in file.relative_to(tree).parts
        and b"+k8s:openapi-gen=" in file.read_bytes()
    }
    return sorted(asking)


def _shim(file: Path, program: str, word: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "#!/bin/sh\n"
        'root=$(cd "$(dirname "$0")/.." && pwd)/root\n'
        f"export LD_LIBRARY_PATH=$root/{_LIBRARIES}:$root/lib/x86_64-linux-gnu XTABLES_LIBDIR=$root/{_LIBRARIES}/xtables\n"
        f'exec "$root/{program}" {word} "$@"\n'
    )
    file.chmod(0o755)
