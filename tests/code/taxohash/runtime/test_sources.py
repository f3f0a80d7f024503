"""What is packed is what lies there, and every edit of it shows."""

import shutil
import subprocess
from pathlib import Path

import pytest

from taxohash.runtime import sources


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    for package in ("pipelines", "services", "taxohash"):
        shutil.copytree(
            sources.ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    return root


def test_all_that_git_keeps_is_packed_and_nothing_else() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "taxohash", "services"],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.fail(f"the tests run in a checkout: {listed.stderr}")
    kept = [name for name in listed.stdout.splitlines() if (sources.ROOT / name).exists()]
    assert sources.files("taxohash", "services") == sorted(kept)


@pytest.mark.parametrize(
    "name",
    [
        "pipelines/retrain/steps.py",
        "services/codestore/lua/rows.lua",
        "taxohash/evaluation/report/report.html.j2",
        "taxohash/evaluation/report/figures.py",
    ],
)
def test_an_edit_of_anything_that_a_step_runs_shows(copy: Path, name: str) -> None:
    before = sources.digest(sources.files(*sources.STEPS, root=copy), root=copy)
    assert before == sources.digest(sources.files(*sources.STEPS))
    file = copy / name
    text = file.read_text()
    file.write_text(text + " ")
    assert sources.digest(sources.files(*sources.STEPS, root=copy), root=copy) != before
    file.write_text(text)
    assert sources.digest(sources.files(*sources.STEPS, root=copy), root=copy) == before


def test_a_new_file_a_new_name_and_another_requirement_show(copy: Path) -> None:
    names = sources.files("taxohash", root=copy)
    told = {sources.digest(names, root=copy), sources.digest(names, ["numpy==1"], copy)}
    (copy / "taxohash" / "new.txt").touch()
    told.add(sources.digest(sources.files("taxohash", root=copy), root=copy))
    (copy / "taxohash" / "new.txt").rename(copy / "taxohash" / "newer.txt")
    told.add(sources.digest(sources.files("taxohash", root=copy), root=copy))
    assert len(told) == 4


def test_what_python_and_editors_leave_does_not_count(copy: Path) -> None:
    before = sources.files("services", root=copy)
    for name in ("__pycache__/keys.pyc", ".keys.py.swp", "keys.py~"):
        file = copy / "services" / "codestore" / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert sources.files("services", root=copy) == before
