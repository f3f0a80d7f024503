"""What the pages tell a reader to type: it exists, takes these options, and runs where that needs only the miniature set."""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser
from torch.distributed.run import get_args_parser
from typer.core import TyperGroup
from typer.exceptions import TyperException

from services.codestore.cli.main import app as store
from services.retrieval.bodies import IMAGE
from services.retrieval.query import PARAMETERS
from services.retrieval.routes import ENDPOINTS
from services.retrieval.schemas.items import DescribedById
from services.retrieval.schemas.lineage import LineageWishes
from services.retrieval.schemas.search import EncodeWishes
from services.retrieval.schemas.status import StatusWishes
from services.trigger.routes import ENDPOINTS as TRIGGER_ENDPOINTS
from taxohash.cli.main import app
from taxohash.cli.plugins import Brought
from taxohash.datasets import Dataset
from tests.support import command
from tests.support.miniature import make_dataset

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (
        ROOT,
        ROOT / "docs",
        *(ROOT / "manifests" / own for own in ("", "monitoring", "components")),
    )
    for path in folder.glob("*.md")
    if path.name != "CHANGELOG.md"  # which names what there was
)
BIN = Path(sys.executable).parent

# The first words of commands that are not run here, and why.
NOT_RUN = {
    ".": "the environment is active",
    ".venv/bin/pre-commit": "would change the repository's hooks",
    ".venv/bin/python -m pytest": "this suite",
    "cat": "puts files together that openssl makes",
    "cd": "only commands after it would feel it",
    "curl": "needs a service: tests/system/test_searching.py, test_retrieval.py and test_trigger.py",
    "docker": "needs Docker and a registry of images",
    "dvc": "needs a bucket in S3",
    "export": "only commands after it would feel it",
    "kubectl": "needs a cluster, or is tests/code/manifests",
    "kustomize": "needs the program; the tests of the manifests render with kubectl",
    "openssl": "certificates, as tests/code/manifests/test_tls.py makes them",
    "make": "jobs of minutes: tests/system/test_demo.py, and this suite",
    "python -m services.retrieval.bento": "needs a generation: tests/code/services/retrieval/bento and tests/system/test_images.py",
    "python -m services.codestore.accounts": "run, with what follows, by tests/code/manifests",
    "taxohash compare": "needs two generations: tests/code/taxohash/cli/test_compare.py",
    "taxohash data capture": "needs a store, and an entry point that an older environment lacks: tests/system/test_capture.py",
    "taxohash data join": "needs what was captured: tests/system/test_capture.py",
    "taxohash data diff": "needs two versions of a set: tests/code/taxohash/datasets/test_diff.py and test_revision.py",
    "npm": "downloads; here a tree of the miniature set's pictures takes its place",
    "python docs/emoji.py": "needs what npm downloads",
    "rm": "removes a password of the store: what follows is run by tests/code/manifests",
    "tar": "unpacks what npm downloads",
    "taxohash delete": "needs a service: tests/system/test_client.py",
    "taxohash data prepare cifar100": "downloads: tests/data",
    "taxohash data prepare fashion-mnist": "downloads: tests/data; here the miniature set takes its place",
    "taxohash data prepare folder data": "its source is anybody's; what is prepared elsewhere is run",
    "taxohash export runs/first --sign-key": "needs a key that openssl makes: tests/code/taxohash/release/test_export.py",
    "taxohash keys": "an entry point that an older environment lacks: tests/code/services/retrieval/access",
    "taxohash lineage": "needs a store, and an entry point that an older environment lacks: tests/system/test_lineage.py",
    "taxohash pipeline": "minutes of training, or needs a Kubeflow: tests/system/test_pipeline.py, tests/code/pipelines/cli",
    "taxohash serve": "serves until it is told to end: tests/system/test_serve_at_home.py",
    "taxohash put": "needs a service: tests/system/test_client.py",
    "taxohash store": "needs a store with something published: tests/loop/test_runbook.py",
    "taxohash search --json": "needs a service: tests/system/test_client.py",
    "taxohash search picture.png --within": "needs a service: tests/system/test_retrieval.py",
    "taxohash sign": "needs a key that openssl makes: tests/code/taxohash/cli/test_signing.py",
    "taxohash similar": "needs a service: tests/system/test_client.py",
    "taxohash trigger": "serves until it is told to end, and an entry point that an older environment lacks: tests/system/test_trigger.py",
    "taxohash verify": "needs what `taxohash sign` made: tests/code/taxohash/cli/test_signing.py",
    "torchrun": "needs several processes: tests/code/taxohash/training/test_distributed.py",
}


# -- what stands on a page -----------------------------------------------------------------------------


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a script; assignments are none."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r" (?:&&|\|\||\|) ", line):
            words = shlex.split(part, comments=True)
            if words and not re.match(r"\w+=", words[0]):
                yield words


def in_prose(page: str) -> Iterator[list[str]]:
    """Commands between back-quotes in the text outside of blocks."""
    prose = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", prose):
        words = span.split()
        if len(words) > 1 and words[0] in ("make", "python", "taxohash"):
            yield words


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]


# -- whether a command can be -----------------------------------------------------------------------------


def is_made(words: list[str]) -> None:
    rules = (ROOT / "Makefile").read_text()
    for target in words[1:]:
        variable = target.partition("=")[0] if "=" in target else None
        assert f"$({variable}" in rules if variable else re.search(rf"^{target}:", rules, re.MULTILINE), (
            target
        )


def is_a_module(words: list[str]) -> None:
    if words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), words[1]
        return
    assert words[1] == "-m"
    name, rest = words[2], words[3:]
    spec = importlib.util.find_spec(name)
    assert spec, f"there is no module {name}"
    if spec.submodule_search_locations is not None:
        assert importlib.util.find_spec(f"{name}.__main__"), f"package {name} cannot be run"
    elif (ROOT / f"{name.replace('.', '/')}.py").is_file():
        assert '__name__ == "__main__"' in Path(str(spec.origin)).read_text(), f"module {name} does nothing"
    for path in rest:
        assert not path.startswith("tests/") or (ROOT / path).exists(), path
    if ours := options(rest) if name.partition(".")[0] in ("pipelines", "benchmarks", "services") else []:
        told = command.run(name, "--help").stdout
        assert all(option in told for option in ours), (ours, told)


def chosen_of(group: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words choose, and the words for it."""
    while isinstance(group, TyperGroup) and words:
        found = group.get_command(typer.Context(group), words[0])
        assert found, words[0]
        group, words = found, words[1:]
    return group, words


def is_taxohash(words: list[str]) -> None:
    chosen, rest = chosen_of(typer.main.get_command(app), words[1:])
    if isinstance(chosen, Brought) and words[1] == "store":
        chosen, rest = chosen_of(typer.main.get_command(store), rest)
    if isinstance(chosen, Brought):
        if words[1] == "pipeline" and rest:
            told = command.run("pipelines.cli.main", rest[0], "--help").stdout
            assert told, rest[0]
            assert all(option in told for option in options(rest)), (rest, told)
        return
    taken = chosen.get_params(typer.Context(chosen))
    known = {name for parameter in taken for name in parameter.opts}
    assert set(options(rest)) <= known, rest
    if rest and "..." not in rest:
        chosen.make_context(chosen.name, list(rest)).close()


def is_torchrun(words: list[str]) -> None:
    started = words.index("-m") + 1
    get_args_parser().parse_args(words[1 : started + 1])
    assert words[started] == "taxohash.cli"
    is_taxohash(words[started:])


def is_dvc(words: list[str]) -> None:
    get_main_parser().parse_args(words[1:])


def is_asked_of_the_service(words: list[str]) -> None:
    url = urlsplit(next(word for word in words if word.startswith("http")))
    paths = {own.path for own in ENDPOINTS} | {own.path for own in TRIGGER_ENDPOINTS}
    assert any(re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", path), url.path) for path in paths)
    fields = [after.partition("=")[0] for word, after in pairwise(words) if word == "-F"]
    assert set(fields) | set(parse_qs(url.query)) <= {
        *(
            IMAGE,
            *PARAMETERS,
            *EncodeWishes.model_fields,
            *DescribedById.model_fields,
            *LineageWishes.model_fields,
            *StatusWishes.model_fields,
        ),
    }


def is_kubectl(words: list[str]) -> None:
    words = words[:1] + words[3:] if words[1] == "-n" else words
    if "--" in words:  # and what it runs in a pod
        inside = words[words.index("--") + 1 :]
        words = words[: words.index("--")]
        check(inside)
    named = [word for word in words[1:] if not word.startswith("-")]
    told = subprocess.run(
        [BIN / "kubectl", *named, "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert f"kubectl {named[0]}" in told.partition("Usage:")[2]
    assert all(re.search(rf"(^| ){option}[=, ]", told, re.MULTILINE) for option in options(words)), words
    assert all((ROOT / path).is_dir() for path in named if path.startswith("manifests/"))


def is_installed(words: list[str]) -> None:
    assert (BIN / Path(words[0]).name).exists()


def is_anybodys(words: list[str]) -> None:
    """A program of the system, or one that README asks for."""


CHECKS: dict[str, Callable[[list[str]], None]] = {
    ".": is_anybodys,
    ".venv/bin/pre-commit": is_installed,
    ".venv/bin/python": is_a_module,
    "cat": is_anybodys,
    "cd": is_anybodys,
    "curl": is_asked_of_the_service,
    "docker": is_anybodys,
    "dvc": is_dvc,
    "export": is_anybodys,
    "kubectl": is_kubectl,
    "kustomize": is_anybodys,
    "make": is_made,
    "npm": is_anybodys,
    "openssl": is_anybodys,
    "pip": is_anybodys,
    "python": is_a_module,
    "df": is_anybodys,
    "rm": is_anybodys,
    "tar": is_anybodys,
    "taxohash": is_taxohash,
    "torchrun": is_torchrun,
}


def check(words: list[str]) -> None:
    assert words[0] in CHECKS, f"{words[0]} is documented and not checked: teach this test what it is"
    try:
        CHECKS[words[0]](words)
    except (ModuleNotFoundError, SystemExit, DvcParserError, TyperException) as error:
        raise AssertionError(f"{' '.join(words)}: {error}") from error


@pytest.mark.parametrize("page", PAGES)
def test_every_command_exists_and_takes_its_options(page: str) -> None:
    for block in blocks(page, "sh"):
        subprocess.run(["sh", "-n"], input=block, text=True, check=True)
        for words in commands(block):
            check(words)
    for words in in_prose(page):
        check(words)


# -- and does what it should ----------------------------------------------------------------------------


def runs(words: list[str]) -> bool:
    line = f"{' '.join(words)} "
    return not any(line.startswith((f"{first} ", f"{first}.")) for first in NOT_RUN)


@pytest.mark.parametrize("page", PAGES)
def test_what_can_run_here_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = [words for block in blocks(page, "sh") for words in commands(block) if runs(words)]
    programs = blocks(page, "python")
    if not scripts and not programs:
        return
    monkeypatch.chdir(tmp_path)
    data = make_dataset(tmp_path / "data")
    (tmp_path / "picture.png").write_bytes(next(data.images("test", [0])))
    for folder in ("pictures", "emoji"):
        _grow(tmp_path / folder, data)
    for words in scripts:
        assert words[0] == "taxohash", f"run it here, or say in NOT_RUN why not: {' '.join(words)}"
        done = command.run("taxohash.cli", *_expanded(words[1:]))
        assert done.returncode == 0, (words, done.stderr)
    for program in programs:
        exec(compile(program, page, "exec"), {"__name__": "__main__"})


def _grow(root: Path, data: Dataset) -> None:
    """A folder of pictures, whose folders are their labels."""
    rows = zip(data.labels("test").tolist(), data.images("test"), strict=True)
    for row, (label, picture) in enumerate(rows):
        folder = root.joinpath(*data.taxonomy.paths[label])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(picture)


def _expanded(words: list[str]) -> list[str]:
    """The words as a shell gives them."""
    return [found for word in words for found in (sorted(glob(word)) if "*" in word else [word])]


def test_nothing_is_excused_that_no_page_has() -> None:
    written = [words for page in PAGES for block in blocks(page, "sh") for words in commands(block)]
    for first in NOT_RUN:
        lines = (f"{' '.join(words)} " for words in written)
        assert any(line.startswith((f"{first} ", f"{first}.")) for line in lines), first


@pytest.mark.parametrize(
    "line",
    [
        "make tea",
        "make demo TWICE=1",
        "python -m pipelines.absent",
        "python -m taxohash.codes",
        "python -m taxohash",
        "taxohash pipeline run --colour red",
        ".venv/bin/python -m pytest tests/absent",
        "taxohash dance",
        "taxohash store dance",
        "taxohash store audit --colour red",
        "taxohash train --data data --out run --colour red",
        "taxohash train --data data",
        "torchrun --colour red -m taxohash.cli train ...",
        "torchrun --nproc-per-node 2 -m taxohash.cli train ... --colour red",
        "dvc remote add --colour storage s3://bucket/taxohash",
        "curl -F image=@picture.png http://127.0.0.1:3000/v2/search",
        "curl -F colour=red http://127.0.0.1:3000/v1/search",
        "kubectl create secret generic x --from-nowhere=1",
        "kubectl apply -k manifests/overlays/absent",
        "kubectl -n $NAMESPACE exec deployment/trigger -- taxohash store dance",
        "sudo make me a sandwich",
    ],
)
def test_what_does_not_exist_is_found(line: str) -> None:
    (words,) = commands(line)
    with pytest.raises(AssertionError):
        check(words)
