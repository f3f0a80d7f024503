"""Data versions of git revisions, with git as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.shared.versions import resolve, revision
from taxohash.errors import TaxohashError, UnavailableError

FIRST, SECOND, BIRDS = (f"{letter * 32}.dir" for letter in "abc")


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of the data, on the first of which is a tag."""
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q", "-b", "main")
    (root / "sets").mkdir()
    for md5 in (FIRST, SECOND):
        (root / "data.dvc").write_text(f"outs:\n- md5: {md5}\n  hash: md5\n  path: data\n")
        (root / "sets" / "birds.dvc").write_text(f"outs:\n- md5: {BIRDS}\n")
        git(root, "add", ".")
        git(root, "commit", "-qm", md5)
        if md5 == FIRST:
            git(root, "tag", "v1")
    return root


@pytest.fixture(params=["folder", "url", "bare"])
def address(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> str:
    if request.param == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(repository), "bare")
        return str(tmp_path / "bare")
    return str(repository) if request.param == "folder" else f"file://{repository}"


def test_a_revision_names_its_version(address: str, repository: Path) -> None:
    assert resolve(address) == resolve(address, "main") == resolve(address, "") == SECOND
    assert resolve(address, "v1") == FIRST
    assert resolve(address, git(repository, "rev-parse", "v1")) == FIRST
    assert resolve(address, "main:sets/birds") == resolve(address, ":sets/birds.dvc") == BIRDS


def test_here_what_git_understands(repository: Path) -> None:
    assert resolve(str(repository), "HEAD~1") == FIRST
    assert resolve(str(repository / "sets"), "HEAD:birds") == BIRDS
    assert resolve(str(repository / "sets"), "v1:../data") == FIRST


@pytest.mark.parametrize("asked", ["v9", "--all", "main:fish", "main:../../data", "a b", "\0"])
def test_what_is_not_there_is_one_line(address: str, asked: str) -> None:
    with pytest.raises(
        TaxohashError, match=r"cannot be read .*: name a branch, a tag or a commit"
    ) as refused:
        resolve(address, asked)
    assert "\n" not in str(refused.value)


def test_a_url_with_a_password_is_not_shown() -> None:
    with pytest.raises(TaxohashError) as refused:
        resolve("http://me:secret@127.0.0.1:9/x.git", "main")
    assert isinstance(refused.value, UnavailableError)  # later it may answer
    assert "secret" not in str(refused.value)
    assert "http://***@127.0.0.1:9/x.git" in str(refused.value)


@pytest.mark.parametrize(
    "repository", ["ext::sh -c 'touch here'", "--upload-pack=touch here", "nowhere/at/all"]
)
def test_no_repository(repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaxohashError, match="cannot be read"):
        resolve(repository, "main")
    assert not os.listdir(tmp_path)


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(TaxohashError, match="not a git repository"):
        resolve(str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TaxohashError, match="git is not installed"):
        resolve(str(tmp_path))


def test_a_server_that_is_silent_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "SECONDS", 0.0)
    with pytest.raises(TaxohashError, match="no answer in 0 s"):
        resolve(str(repository))


def test_the_way_to_a_repository_is_the_users_and_nobody_is_asked_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of ssh, a program that says how it was called, and in what session."""
    (tmp_path / "ssh").write_text(
        f"#!{sys.executable}\nimport os, sys\nopen({str(tmp_path / 'said')!r}, 'w').write(f'{{os.getsid(0)}} {{sys.argv}}')\nsys.exit(1)\n"
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{tmp_path / 'ssh'} -i key")
    with pytest.raises(TaxohashError, match="cannot be read"):
        resolve("git@example.org:sets.git")
    session, _, called = (tmp_path / "said").read_text().partition(" ")
    assert "'-i', 'key'" in called
    assert int(session) != os.getsid(0)


def test_a_password_comes_from_the_program_that_the_user_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ASKPASS", "mine")
    seen: list[str] = []

    def run(*_: object, env: dict[str, str], **__: object) -> object:
        seen.append(env["GIT_ASKPASS"])
        raise OSError

    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        with pytest.raises(TaxohashError):
            resolve(str(tmp_path))
        monkeypatch.delenv("GIT_ASKPASS", raising=False)
    assert seen == ["mine", "true"]
