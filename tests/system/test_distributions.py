"""The two distributions as somebody installs them: what their wheels hold, and the library where nothing else of ours is."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from taxohash.runtime import sources

pytestmark = [pytest.mark.system, pytest.mark.slow]
ROOT = sources.ROOT
# Beside the one that everything is tested on.
OTHER_PYTHONS = ("3.12", "3.13")
TEN_LINES = """
import numpy, taxohash
rng = numpy.random.default_rng(0)
codes = rng.integers(0, 256, (100_000, 8), numpy.uint8)
index = taxohash.HammingIndex.build(codes, bits=64)
distances, rows = index.search(codes[[5, 77]], k=3, threads=2)
assert rows[:, 0].tolist() == [5, 77] and (distances[:, 0] == 0).all()
index.save("index")
assert (taxohash.HammingIndex.load("index").search(codes[[5, 77]], k=3)[1] == rows).all()
print(taxohash.__file__)
"""


def run(*command: object, cwd: Path = ROOT) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels by their distribution's name, built from a copy, so that no earlier build is mixed in."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheels")
    for name in (
        "README.md",
        "LICENSE",
        "pyproject.toml",
        "distributions",
        "taxohash",
        "services",
        "pipelines",
    ):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
            )
        else:
            shutil.copy(ROOT / name, copy / name)
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        out,
        copy,
        copy / "distributions/platform",
    )
    return {file.name.partition("-")[0]: file for file in out.iterdir()}


def test_a_wheel_holds_its_packages_and_all_of_them(wheels: dict[str, Path]) -> None:
    packages = {"taxohash": ["taxohash"], "taxohash_platform": ["services", "pipelines"]}
    assert set(wheels) == set(packages)
    for distribution, held in packages.items():
        names = {
            name for name in zipfile.ZipFile(wheels[distribution]).namelist() if ".dist-info/" not in name
        }
        assert names == set(sources.files(*held))


def test_the_library_searches_in_a_fresh_environment(wheels: dict[str, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "fresh")
    python = tmp_path / "fresh" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheels["taxohash"])
    where = run(python, "-I", "-c", TEN_LINES, cwd=tmp_path)
    assert where.startswith(str(tmp_path / "fresh"))
    command = subprocess.run(
        [tmp_path / "fresh" / "bin" / "taxohash", "serve", "generation"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert command.returncode == 2
    assert (
        command.stderr == "taxohash: command serve is not installed: pip install 'taxohash-platform[serve]'\n"
    )


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_pip_finds_the_core_for_other_pythons(wheels: dict[str, Path], tmp_path: Path, version: str) -> None:
    run(
        sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--target", tmp_path, "--only-binary", ":all:",
        "--python-version", version, wheels["taxohash"],
    )  # fmt: skip
