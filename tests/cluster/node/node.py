"""A real Kubernetes node on this machine, as stories use it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from taxohash.errors import TaxohashError
from tests.cluster.node import archive, here, network, settings
from tests.cluster.node.cache import Report, locked, programs, room
from tests.cluster.node.life import LOADED, LOCK, clear, launch, own
from tests.cluster.node.older import Schema, older
from tests.cluster.node.places import HERE, default_home
from tests.cluster.node.running import Running
from tests.cluster.node.stand_ins import stand_ins

Done = subprocess.CompletedProcess[str]

_READY_SECONDS = 300.0
_GIGABYTES = 6  # for the images of the project, unpacked, and what pods write


class Node:
    """One that is up. Nothing of it can be reached from outside, and nothing in it reaches out.

    Attributes:
        home: folder in which all of it lies.
    """

    def __init__(self, home: Path, running: Running, report: Report) -> None:
        self.home = home
        self._running = running
        self._report = report

    # -- life ----------------------------------------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def up(cls, home: Path | None = None, report: Report = print, *, keep: bool = False) -> "Iterator[Node]":
        """A new node, that is ended on leaving; it keeps the images of an earlier one in the same folder.

        Args:
            home: its folder; one in the cache, if left out.
            report: is told of what is done.
            keep: leave it up, also where this process is killed.

        Raises:
            Unavailable: this machine cannot run one.
            TaxohashError: it does not become ready, or the folder is another's.
        """
        here.check()
        home = own((home or default_home()).resolve())
        binaries = programs(report)
        images = stand_ins(binaries, report)
        with locked(home / LOCK, lambda: report(f"another run uses the node in {home}: waiting")):
            clear(home, report)
            room(home, _GIGABYTES)
            node = cls(home, launch(home, binaries, keep), report)
            try:
                node._wait()
                for image in images.values():
                    node.load_image(image)
                yield node
            finally:
                if not keep:
                    node.down()

    @classmethod
    def at(cls, home: Path | None = None, report: Report = print) -> "Node":
        """The node that was left up in a folder.

        Raises:
            TaxohashError: there is none.
        """
        home = (home or default_home()).resolve()
        running = Running.read(home)
        if running is None or not running.lives():
            raise TaxohashError(f"no node is up in {home}: `make cluster KEEP=1` leaves one")
        return cls(home, running, report)

    def down(self, wipe: bool = False) -> None:
        """End it with all that runs in it.

        Args:
            wipe: remove its folder too, images included.
        """
        self._running.end()
        if wipe:
            shutil.rmtree(self.home)

    @property
    def logs(self) -> Path:
        """Folder of what its daemons say, a file of each."""
        return self.home / "log"

    @property
    def volumes(self) -> Path:
        """Folder of what lies in its volumes, those that are not capped."""
        return self.home / "volumes"

    # -- commands ------------------------------------------------------------------------------------------------------

    def kubectl(
        self, *words: str, input: str | bytes | None = None, check: bool = True, timeout: float = 60
    ) -> Done:
        """Run kubectl as the administrator.

        Args:
            check: whether it must succeed.
            timeout: in seconds.

        Raises:
            AssertionError: it did not; with its last words.
        """
        text = input.decode() if isinstance(input, bytes) else input
        return self.inside("kubectl", *words, input=text, check=check, timeout=timeout)

    def inside(
        self,
        *words: str | Path,
        input: str | None = None,
        check: bool = True,
        timeout: float = 60,
        **popen: Any,
    ) -> Done:
        """Run a command in the node's network, mounts and processes, and wait for it.

        Args:
            check: whether it must succeed.
            timeout: in seconds.
            popen: further arguments of subprocess.run.

        Raises:
            AssertionError: it did not; with its last words.
            subprocess.TimeoutExpired: it took longer, and was ended.
        """
        options = {"capture_output": True, "text": True, **popen}
        options["env"] = self._environment(options.get("env"))
        done: Done = subprocess.run(self._entering(words), input=input, timeout=timeout, **options)
        if check and done.returncode:
            said = ((done.stderr or done.stdout or "").strip().splitlines() or ["it says nothing"])[-1]
            raise AssertionError(f"{' '.join(map(str, words))[:200]} ended with {done.returncode}: {said}")
        return done

    def start(self, *words: str | Path, **popen: Any) -> "subprocess.Popen[str]":
        """Start a command in the node's network, mounts and processes; to terminate or kill what is returned terminates it.

        Args:
            popen: further arguments of subprocess.Popen.
        """
        options = {"text": True, **popen}
        options["env"] = self._environment(options.get("env"))
        return subprocess.Popen(self._entering(words), **options)

    def command(self, *words: str | Path) -> tuple[str, list[str], dict[str, str]]:
        """What `os.execve` needs to become a command in the node."""
        entering = self._entering(words)
        return shutil.which(entering[0]) or entering[0], entering, self._environment(None)

    # -- what is in it -------------------------------------------------------------------------------------------------

    def apply(self, text: str, *words: str) -> list[str]:
        """`kubectl apply` manifests, in the versions that 1.20 has, without what it cannot know.

        Args:
            text: of YAML.
            words: further ones of the command.

        Returns:
            What was left out, a line each; it is reported too.

        Raises:
            AssertionError: they were refused.
        """
        schema = Schema.of(json.loads(self.kubectl("get", "--raw", "/openapi/v2").stdout))
        known, left = [], []
        for manifest in filter(None, yaml.safe_load_all(text)):
            kept, missing = schema.known(older(manifest))
            known += [kept] if kept else []
            left += missing
        for line in left:
            self._report(f"left out, as Kubernetes 1.20 does not know it: {line}")
        if known:
            self.kubectl("apply", *words, "-f", "-", input=yaml.safe_dump_all(known), timeout=120)
        return left

    def volume(
        self,
        name: str,
        size: str,
        modes: Sequence[str] = ("ReadWriteOnce",),
        claim: str | None = None,
        capped: bool = False,
    ) -> None:
        """Give the node a volume, for a claim without a storage class.

        Args:
            size: as Kubernetes writes it; how much really fits is what the disk has.
            claim: NAMESPACE/NAME of the one that it is for; any, if left out.
            capped: nothing more than `size` fits, and it is empty after the node has ended.
        """
        folder = settings.HOME / "volumes" / name
        (self.volumes / name).mkdir(parents=True, exist_ok=True)
        if capped:
            unit = size.removesuffix("i").lower()  # as mount writes it
            self.inside("mount", "-t", "tmpfs", "-o", f"size={unit}", "tmpfs", folder)
        namespace, _, of = (claim or "").partition("/")
        where = {"key": "kubernetes.io/hostname", "operator": "In", "values": [network.NAME]}
        spec = {
            "capacity": {"storage": size},
            "accessModes": list(modes),
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [where]}]}},
            **({"claimRef": {"namespace": namespace, "name": of}} if claim else {}),
        }
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": spec,
        }
        self.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def load_image(self, file: Path, name: str | None = None) -> bool:
        """Take the image of an archive, as `docker save` writes it; whether it was not there yet.

        Args:
            name: by which it is to be had too.
        """
        own, content = archive.identity(file)
        names = [own, *([name] if name else [])]
        note = self.home / LOADED
        loaded: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
        if all(loaded.get(one) == content for one in names) and set(names) <= set(self.images()):
            return False
        self.inside("ctr", "images", "import", "--all-platforms", file.resolve(), timeout=600)
        for other in names[1:]:
            if other != own:
                self.inside("ctr", "images", "tag", "--force", own, other)
        note.write_text(json.dumps({**loaded, **dict.fromkeys(names, content)}))
        return True

    def images(self) -> list[str]:
        """Names of the images that it has."""
        names = self.inside("ctr", "images", "list", "-q").stdout.split()
        return [name for name in names if not name.startswith("sha256:")]

    # -- within --------------------------------------------------------------------------------------------------------

    def _entering(self, words: Sequence[str | Path]) -> list[str]:
        enter = ["nsenter", f"--target={self._running.init}", "--net", "--mount", "--pid", "--ipc", "--uts"]
        # Of nsenter, which waits for it, a command would hear nothing.
        ending = ["setpriv", "--pdeathsig", "TERM", "--"]
        return [*enter, f"--wdns={Path.cwd()}", *ending, *map(str, words)]

    def _environment(self, given: dict[str, str] | None) -> dict[str, str]:
        proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
        own = {
            "PATH": f"{settings.path_of(self._running.programs)}:{os.environ.get('PATH', '')}",
            "KUBECONFIG": str(settings.PKI / "admin.conf"),
            "CONTAINERD_ADDRESS": str(settings.CONTAINERD),
            "CONTAINERD_NAMESPACE": "k8s.io",
        }
        return {**(kept if given is None else given), **own}

    def _wait(self) -> None:
        """Return when pods can be run."""
        began = time.monotonic()
        self._until("its API server answers", began, "get", "--raw", "/readyz")
        self._report(f"the API server answers after {time.monotonic() - began:.0f} s")
        self.kubectl("apply", "-f", str(HERE / "system.yaml"))
        ready = ("wait", "--for=condition=Ready", f"node/{network.NAME}", "--timeout=2s")
        self._until("the node is ready", began, *ready)
        self._until("it has accounts", began, "get", "serviceaccount/default")
        self._report(f"the node is ready after {time.monotonic() - began:.0f} s")

    def _until(self, what: str, began: float, *words: str) -> None:
        while True:
            if not self._running.lives():
                raise TaxohashError(f"the node ended before {what}: see {self.logs}")
            with suppress(subprocess.TimeoutExpired):
                if self.kubectl(*words, check=False, timeout=10).returncode == 0:
                    return
            if time.monotonic() - began > _READY_SECONDS:
                raise TaxohashError(f"after {_READY_SECONDS:.0f} s it is not so that {what}: see {self.logs}")
            time.sleep(0.3)
