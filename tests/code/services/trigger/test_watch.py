"""Data versions of a git repository, a real one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services import metrics
from services.trigger.settings import Source
from services.trigger.watch import Watch
from taxohash.errors import TaxohashError
from tests.support.waiting import until

ONE, TWO = "1" * 32 + ".dir", "2" * 32 + ".dir"
DVC = "outs:\n- md5: {}\n  size: 12\n  nfiles: 3\n  hash: md5\n  path: data\n"


class Repository:
    """A repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        """What git says."""
        who = {f"GIT_{role}_{what}": "x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(["git", "-C", str(self.folder), *words], env=environment, capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout.strip()

    def commit(self, text: str, name: str = "data.dvc") -> str:
        """Commit a file; the id of the commit."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def seen() -> list[tuple[str, str]]:
    return []


def watch_of(repository: Path | str, seen: list[tuple[str, str]], folder: Path, **more: Any) -> Watch:
    return Watch(
        Source(str(repository), **more), folder / "own.git", "birds", lambda *told: seen.append(told)
    )


def test_it_tells_the_version_at_the_tip(
    repository: Repository, seen: list[tuple[str, str]], tmp_path: Path
) -> None:
    first = repository.commit(DVC.format(ONE))
    watch = watch_of(repository.folder, seen, tmp_path)
    watch.look()
    second = repository.commit(DVC.format(TWO))
    watch.look()
    watch_of(f"file://{repository.folder}", seen, tmp_path).look()  # another, as after a restart
    assert seen == [(ONE, first), (TWO, second), (TWO, second)]


def test_a_branch_or_tag_and_another_file(
    repository: Repository, seen: list[tuple[str, str]], tmp_path: Path
) -> None:
    first = repository.commit(DVC.format(ONE), "sets/birds.dvc")
    repository.git("tag", "-a", "v1", "-m", "x")
    repository.git("branch", "next")
    repository.commit(DVC.format(TWO), "sets/birds.dvc")
    for branch in ("v1", "next"):
        watch_of(repository.folder, seen, tmp_path, branch=branch, tracked="sets/birds.dvc").look()
    assert seen == [(ONE, first)] * 2


def test_history_that_was_rewritten(
    repository: Repository, seen: list[tuple[str, str]], tmp_path: Path
) -> None:
    repository.commit(DVC.format(ONE))
    watch = watch_of(repository.folder, seen, tmp_path)
    watch.look()
    (repository.folder / "data.dvc").write_text(DVC.format(TWO))
    repository.git("commit", "--quiet", "--all", "--amend", "--message=y")
    watch.look()
    assert [md5 for md5, _ in seen] == [ONE, TWO]


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"branch": "nowhere"}, "nowhere"), ({"tracked": "other.dvc"}, "other.dvc"), ({"branch": "--upload-pack=touch MARK"}, "cannot be had")],
)  # fmt: skip
def test_what_is_not_there_is_told_in_one_line(
    more: dict[str, str], reason: str, repository: Repository, seen: list[tuple[str, str]], tmp_path: Path
) -> None:
    repository.commit(DVC.format(ONE))
    told = {name: text.replace("MARK", str(tmp_path / "mark")) for name, text in more.items()}
    with pytest.raises(TaxohashError, match=reason) as refused:
        watch_of(repository.folder, seen, tmp_path, **told).look()
    assert not (tmp_path / "mark").exists()
    assert "\n" not in str(refused.value)
    assert not seen


def test_a_file_that_names_no_data_is_told(
    repository: Repository, seen: list[tuple[str, str]], tmp_path: Path
) -> None:
    repository.commit("<html>")
    with pytest.raises(TaxohashError, match=r"data\.dvc names no folder's md5"):
        watch_of(repository.folder, seen, tmp_path).look()
    assert not seen


def test_no_password_of_an_address_is_told(seen: list[tuple[str, str]], tmp_path: Path) -> None:
    with pytest.raises(TaxohashError) as refused:
        watch_of("https://me:hunter2@127.0.0.1:1/x.git", seen, tmp_path).look()
    assert "hunter2" not in str(refused.value)
    assert "127.0.0.1:1" in str(refused.value)


def test_without_git_it_says_so(
    repository: Repository, seen: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TaxohashError, match="git cannot be started"):
        watch_of(repository.folder, seen, tmp_path).look()


@pytest.fixture
def watched(repository: Repository, seen: list[tuple[str, str]], tmp_path: Path) -> Iterator[Watch]:
    watch = watch_of(repository.folder, seen, tmp_path, poll=3600.0)
    yield watch
    watch.stop()


def test_it_looks_when_told_and_says_when_it_cannot(
    watched: Watch, repository: Repository, seen: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    failing = metrics.TRIGGER_WATCH_FAILING.labels("birds")
    watched.start()  # nothing is committed yet
    until(lambda: failing._value.get() == 1.0)
    watched.look_soon()
    repository.commit(DVC.format(ONE))
    watched.look_soon()
    until(lambda: seen)
    until(lambda: failing._value.get() == 0.0)
    assert sum("cannot be had" in record.message for record in caplog.records) == 1
