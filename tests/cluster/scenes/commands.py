"""What docs/operations.md says to type, typed in the order of the page, and what the runbook has kubectl show."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.bucket import BUCKET
from tests.cluster.node.older import older
from tests.cluster.pods import Namespace, wait
from tests.cluster.programs import ROOT, environment
from tests.cluster.record import Told
from tests.cluster.world import World

PAGE, RUNBOOK = ROOT / "docs" / "operations.md", ROOT / "manifests" / "monitoring" / "runbook.md"
RESTORED = "taxohash-anew"  # where no scene has left anything
# What cannot be typed here, by how it begins, and why.
NOT_TYPED = {
    "taxohash pipeline submit": "there is no Kubeflow on the node: a pod of a pipeline has filled the store",
}
# What may fail, by a word of it, and what it says then.
MAY_FAIL = {
    "--previous": "previous terminated container",
    " top ": "metrics not available",
    " get hpa": "No resources",
}
# Whose log the runbook shows.
_LOOKED_AT = (
    "kubectl -n $NAMESPACE create job backup-now --from=cronjob/backup",
    "kubectl -n $NAMESPACE wait --for=condition=complete job/backup-now --timeout=30m",
)
_GENERATION, _BACKUP = "0123456789abcdef", re.compile(r"default-\d{8}T\d{6}Z")
_SECONDS = 900.0


def commands(world: World) -> Told:
    """Each line of the pages as it stands there, by a shell; what is applied is rendered by the project's own kubectl, as the node's is older."""
    (first, second) = world.generations
    world.settle(first)
    typed = 0
    try:
        with desk(world, second) as own:
            for line in lines(PAGE.read_text()):
                typed += own.type(line)
            own.variables["NAMESPACE"] = world.space.name
            for line in _LOOKED_AT:
                own.type(line)
            for line in lines(RUNBOOK.read_text()):
                typed += line.startswith("kubectl") and own.type(line)
    finally:
        world.put_keys(world.space)
        world.apply(world.overlay())
    return Told(
        what="every command of docs/operations.md is typed",
        notes=[f"{typed} commands of it and of the runbook, but where {', '.join(NOT_TYPED.values())}"],
    )


def lines(page: str) -> Iterator[str]:
    """The lines of the scripts of a page."""
    for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield from filter(None, map(str.strip, block.replace("\\\n", " ").splitlines()))


@dataclass
class Desk:
    """Where somebody types: a folder with what the page takes for granted, and variables.

    Attributes:
        generation: the one that is meant by that of the page.
        backup: name of the newest backup that was made here, which is meant by that of the page.
    """

    world: World
    folder: Path
    variables: dict[str, str]
    opened: ExitStack
    generation: str
    backup: str = ""
    ports: set[str] = field(default_factory=set)

    @property
    def space(self) -> Namespace:
        return Namespace(self.world.node, self.variables["NAMESPACE"])

    def type(self, line: str) -> bool:
        """Type a line; whether it was typed.

        Raises:
            AssertionError: it ended with an error.
        """
        if any(line.startswith(start) for start in NOT_TYPED):
            return False
        if " store restore " in line:
            self._installed(RESTORED)
        line = _BACKUP.sub(self.backup, line.replace(_GENERATION, self.generation))
        line = line.replace("s3://bucket/", f"s3://{BUCKET}/")
        self.world.report(f"$ {line}")
        words = shlex.split(line, comments=True)
        if "-k" in words and words[1] in ("apply", "diff"):
            self._rendered(words[1])
        elif "port-forward" in words:
            self._forwarded(line)
        else:
            self._run(line)
        return True

    def _installed(self, name: str) -> None:
        """An empty namespace, as after installing; what follows is typed for it."""
        for volume, claim, size in (
            ("codes", "data-codestore-0", "4Gi"),
            ("work", "taxohash-work", "10Gi"),
        ):
            self.world.node.volume(f"{name}-{volume}", size, ("ReadWriteOnce",), claim=f"{name}/{claim}")
        self.variables["NAMESPACE"] = name
        self.opened.callback(self.world.node.kubectl, "delete", "namespace", name, timeout=300)
        self.world.install(self.space)
        self._rendered("apply")
        self.space.rolled_out("statefulset/codestore")
        self.space.rolled_out("deployment/trigger")

    def _rendered(self, verb: str) -> None:
        """The node's kubectl renders nothing of today, and knows some kinds by older versions."""
        overlay = self.world.overlay(namespace=self.space.name)
        if verb == "apply":
            self.world.apply(overlay)
            return
        rendered = yaml.safe_load_all(overlay.rendered(self.folder / "rendered"))
        text = yaml.safe_dump_all([older(manifest) for manifest in rendered if manifest])
        done = self.world.node.kubectl("diff", "-f", "-", input=text, check=False, timeout=120)
        assert done.returncode < 2, done.stderr

    def _forwarded(self, line: str) -> None:
        """It goes on until all is typed."""
        (port,) = re.findall(r" (\d+):\d+", line)
        if port in self.ports:
            return
        self.ports.add(port)
        process = self.world.node.start(
            "sh", "-c", f"exec {line}", env=self._environment(), stdout=subprocess.DEVNULL
        )
        self.opened.callback(process.wait)
        self.opened.callback(process.terminate)
        probe = ("curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/livez")
        wait(lambda: not self.world.node.inside(*probe, check=False).returncode, f"{line} answers", 60)

    def _run(self, line: str) -> None:
        # As somebody types it, but that what fails before a pipe is told too, and what is answered with an error.
        line = re.sub("^curl ", "curl --fail ", line)
        script = f"cd {shlex.quote(str(self.folder))} && PATH={self.folder}/bin:$PATH\n{line}"
        done = self.world.node.inside(
            "bash", "-o", "pipefail", "-c", script, env=self._environment(), check=False, timeout=_SECONDS
        )
        excused = any(word in line and said in done.stderr for word, said in MAY_FAIL.items())
        assert done.returncode == 0 or excused, f"{line} ended with {done.returncode}: {done.stderr[-500:]}"
        if made := _BACKUP.findall(done.stdout):
            self.backup = made[-1]

    def _environment(self) -> dict[str, str]:
        return environment(self.variables)


@contextmanager
def desk(world: World, generation: str) -> Iterator[Desk]:
    """A desk, for as long as the block."""
    folder = world.folder / "desk"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    for program in ("python", "taxohash"):
        script = folder / "bin" / program
        script.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).with_name(program)}" "$@"\n')
        script.chmod(0o755)
    (folder / "manifests").symlink_to(ROOT / "manifests")
    shutil.copytree(world.folder / "accounts" / world.space.name, folder / "accounts")
    shutil.copy(world.keys.path, folder / "api-keys.json")
    for name in ("trigger.token", "git.secret", "approval.secret"):
        (folder / name).write_text(f"{name} of many characters\n")
    add: list[str | Path] = [
        folder / "bin" / "taxohash",
        "keys",
        "add",
        "shop",
        "--file",
        folder / "api-keys.json",
    ]
    subprocess.run(add, env=environment({}), check=True, capture_output=True, timeout=60)
    (picture, *_) = (query.picture for query in world.queries if query.picture)
    (folder / "picture.png").write_bytes(picture)
    name = world.space.name
    _keys_of(world, folder)
    world.apply(world.overlay())
    world.space.kubectl(
        "rollout", "restart", "deployment/retrieval"
    )  # so that there is something to go back to
    world.space.rolled_out("deployment/retrieval")
    wait(lambda: not _ending(world.space), "no pod is ending, whose ports somebody may be given", 120)
    variables = {"NAMESPACE": name, "KEY": world.keys.secrets["search"]}
    with ExitStack() as opened:
        yield Desk(world, folder, variables, opened, generation)


def _ending(space: Namespace) -> list[str]:
    """Pods that are about to go."""
    metadata = (pod["metadata"] for pod in space.get("pods")["items"])
    return [own["name"] for own in metadata if "deletionTimestamp" in own]


def _keys_of(world: World, folder: Path) -> None:
    """A certificate and a key that signs, as they are before they are rotated."""

    def made(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    subject = ("-subj", "/CN=codestore", "-days", "90")
    made("req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-out", "tls.crt", "-keyout", "tls.key")
    made("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "private.pem")
    made("ec", "-in", "private.pem", "-pubout", "-out", "signing.pub")
    known = {"file": "/etc/taxohash/verifying/keys.pem", "keys.pem": (folder / "signing.pub").read_text()}
    verifying = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "verifying"}, "data": known}
    texts = {file: (folder / file).read_text() for file in ("tls.crt", "tls.key")}
    secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
    world.space.kubectl("delete", "secret", "codestore-tls", "--ignore-not-found")  # of another type
    world.space.put(verifying, secret | {"metadata": {"name": "codestore-tls"}, "stringData": texts})
