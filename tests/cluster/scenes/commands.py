"""What docs/operations.md says to type, typed in the order of the page, and what the runbook has kubectl show."""

import re
import shlex
import shutil

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.bucket import BUCKET
from tests.cluster.node.older import older
from tests.cluster.pods import Namespace, wait
from tests.cluster.programs import ROOT, environment
from tests.cluster.record import Told
from tests.cluster.world import World

PAGE, RUNBOOK = ROOT / "docs" / "operations.md", ROOT / "manifests" / "monitoring" / "runbook.md"
_GENERATION = "0123456789abcdef"  # stands on the page for that of a reader
# What cannot be typed here, by how it begins, and why.
NOT_TYPED = {
    "taxohash pipeline submit": "there is no Kubeflow on the node: a pod of a pipeline has filled the store",
    "make ": "what this is a part of, or a job of minutes",
}
# What may fail, by a word of it, and what it says then.
MAY_FAIL = {"--previous": "previous terminated container", "top": "metrics not available"}
_SECONDS = 900.0


def commands(world: World) -> Told:
    """Each line of the pages as it stands there, by a shell; what is applied is rendered by the project's own kubectl, as the node's is older."""
    first, second = world.generations
    world.settle(first)
    typed = 0
    try:
        with desk(world) as own:
            for line in lines(PAGE.read_text()):
                typed += own.type(
                    line.replace(_GENERATION, second).replace("s3://bucket/", f"s3://{BUCKET}/")
                )
            for line in lines(RUNBOOK.read_text()):
                typed += line.startswith("kubectl") and own.type(line)
    finally:
        world.put_keys(world.space)
        world.install_accounts(world.space)
        world.apply(world.overlay())
    return Told(
        what="every command of docs/operations.md is typed",
        notes=[f"{typed} commands of it and of the runbook", *NOT_TYPED.values()],
    )


def lines(page: str) -> Iterator[str]:
    """The lines of the scripts of a page."""
    for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield from filter(None, map(str.strip, block.replace("\\\n", " ").splitlines()))


@dataclass
class Desk:
    """Where somebody types: a folder with what the page takes for granted, and variables."""

    world: World
    folder: Path
    variables: dict[str, str]
    open: ExitStack

    def type(self, line: str) -> bool:
        """Type a line; whether it was typed.

        Raises:
            AssertionError: it ended with an error.
        """
        if any(line.startswith(start) for start in NOT_TYPED):
            return False
        self.world.report(f"$ {line}")
        words = shlex.split(line, comments=True)
        if match := re.fullmatch(r"(\w+)=(\S*)", line):
            self.variables[match[1]] = match[2]
        elif words[:2] == ["kubectl", "create"] and words[2] == "namespace":
            self._make()
        elif "-k" in words and words[1] in ("apply", "diff"):
            self._rendered(words[1])
        elif "port-forward" in words:
            self._forwarded(line)
        else:
            self._run(line)
        return True

    @property
    def space(self) -> Namespace:
        return Namespace(self.world.node, self.variables["NAMESPACE"])

    def _make(self) -> None:
        """A namespace with its volumes and Secrets."""
        name = self.space.name
        for volume, claim, size in (("codes", "data-codestore-0", "4Gi"), ("work", "taxohash-work", "10Gi")):
            self.world.node.volume(f"{name}-{volume}", size, ("ReadWriteOnce",), claim=f"{name}/{claim}")
        self.world.install(self.space)
        self.open.callback(self.world.node.kubectl, "delete", "namespace", name, timeout=300)

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
        process = self.world.node.start("sh", "-c", f"exec {line}", env=self._environment())
        self.open.callback(process.wait)
        self.open.callback(process.terminate)
        (port,) = re.findall(r" (\d+):\d+", line)
        probe = ("curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/livez")
        answers = lambda: self.world.node.inside(*probe, check=False).returncode == 0  # noqa: E731
        wait(answers, f"{line} answers", 60)

    def _run(self, line: str) -> None:
        script = f"cd {shlex.quote(str(self.folder))} && PATH={self.folder}/bin:$PATH && set -e\n{line}"
        done = self.world.node.inside(
            "sh", "-c", script, env=self._environment(), check=False, timeout=_SECONDS
        )
        excused = any(word in line and said in done.stderr for word, said in MAY_FAIL.items())
        assert done.returncode == 0 or excused, f"{line} ended with {done.returncode}: {done.stderr[-500:]}"

    def _environment(self) -> dict[str, str]:
        return environment(self.variables)


@contextmanager
def desk(world: World) -> Iterator[Desk]:
    """A desk, for as long as the block."""
    folder = world.folder / "desk"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    for program in ("python", "taxohash"):
        (folder / "bin" / program).symlink_to(Path(sys.executable).with_name(program))
    (folder / "manifests").symlink_to(ROOT / "manifests")
    shutil.copytree(world.folder / "accounts" / world.space.name, folder / "accounts")
    shutil.copy(world.keys.path, folder / "api-keys.json")
    for name in ("trigger.token", "git.secret", "approval.secret"):
        (folder / name).write_text(f"{name} of many characters\n")
    (picture, *_) = (query.picture for query in world.queries if query.picture)
    (folder / "picture.png").write_bytes(picture)
    variables = {"NAMESPACE": world.space.name, "KEY": world.keys.secrets["search"]}
    with ExitStack() as opened:
        yield Desk(world, folder, variables, opened)
