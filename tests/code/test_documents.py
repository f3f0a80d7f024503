"""What README and docs tell to type exists, and the block of README's uses runs."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from taxohash.training.config import TrainingConfig
from tests.support import command
from tests.support.miniature import make_dataset

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "manifests/README.md", *sorted(
    page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md")
)]  # fmt: skip
FENCED = re.compile(r"```sh\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:make|taxohash|python -m|kubectl) [^`\n]*)`")
# Programs of others: the shell's own words, and what needs a server, a cluster or a remote that no test has.
OTHERS = {".", "cd", "curl", "dvc", "kustomize", "openssl"}


def typed() -> Iterator[tuple[str, str]]:
    """Every page with every command that it tells to type, once."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
        for line in dict.fromkeys([*lines, *INLINE.findall(text)]):
            if told := re.sub(r"\s+#.*", "", line).strip():
                yield page, told


@pytest.mark.parametrize(("page", "line"), list(typed()))
def test_what_is_told_to_type_exists(page: str, line: str) -> None:
    for part in re.split(r" && ", line):
        words = shlex.split(part)
        if re.match(r"[A-Z]+=", words[0]) or words[0] in OTHERS:
            continue
        if words[0] == "torchrun":
            words = ["taxohash", *words[words.index("taxohash.cli") + 1 :]]
        if words[:2] == ["python", "-m"]:
            check_module(words[2], words[3:])
        elif words[0] == "taxohash":
            check_help("taxohash.cli", words[1:])
        elif words[0] == "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {word for word in words[1:] if "=" not in word} <= set(targets)
        elif words[0] == "kubectl":
            assert all((ROOT / word).is_dir() for word in words if word.startswith("manifests/"))
        else:
            pytest.fail(f"{page} tells to type {words[0]!r}, which nothing here checks")


def check_module(module: str, arguments: list[str]) -> None:
    found = find_spec(module)
    assert found is not None, module
    if found.submodule_search_locations:
        assert find_spec(f"{module}.__main__") is not None, f"{module} is a package that does not run"
    if options(arguments):
        check_help(module, arguments)


def check_help(module: str, arguments: list[str]) -> None:
    """The sub-commands are there, and their help has the options."""
    names = [word for word in arguments if re.fullmatch(r"[a-z]+", word)]
    names = names[: 2 if names[:1] == ["data"] else 1] if module == "taxohash.cli" else []
    done = command.run(module, *names, "--help")
    assert done.returncode == 0, done.stderr
    for option in options(arguments):
        assert option in done.stdout, f"{module} {' '.join(names)} has no {option}"


def options(arguments: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in arguments if word.startswith("--")]


def test_the_uses_of_readme_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (b for b in FENCED.findall((ROOT / "README.md").read_text()) if "taxohash train" in b)
    data = make_dataset(tmp_path / "data", train=60, test=12)
    (tmp_path / "picture.png").write_bytes(next(data.images("test", [0])))
    monkeypatch.chdir(tmp_path)
    ran = []
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        # The set is there, and no service is; torchrun is tried in test_distributed.
        if words[:1] == ["taxohash"] and words[1] != "search" and words[1:3] != ["data", "prepare"]:
            done = command.run("taxohash.cli", *words[1:])
            assert done.returncode == 0, f"{line}: {done.stderr}"
            ran.append(words[1])
    assert ran == ["data", "train", "evaluate", "encode", "export", "methods"]
    assert len((tmp_path / "runs/first/log.jsonl").read_text().splitlines()) == TrainingConfig().epochs
    assert (tmp_path / "runs/first/report.html").is_file()
    assert list((tmp_path / "sheets").glob("*.png"))
    assert list((tmp_path / "generations").glob("*/hasher.onnx"))
