"""The kernels that a Bento brings: for every kind of CPU, complete, right, and no harm where they do not fit."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.codestore import EmbeddedServer
from services.retrieval.bento import kernels
from taxohash.errors import TaxohashError
from taxohash.runtime import cpu, kernel_places, sources
from taxohash.runtime.atomic import writable
from tests.support.generations import make_generation
from tests.support.serving import environment, publish, serving
from tests.support.waiting import until

BITS = 64  # kernels for other lengths are made the same way, and take as long again

# Everything that serving asks of kernels, and answers beside the definition's: clustered, sliced and few codes.
SERVING = """
import json, os, pathlib, sys
import numpy as np
from services.retrieval.bento import compiling, exercise
from taxohash.hamming import HammingIndex
exercise.exercise_items()
exercise.exercise_codes(48)
layouts = []
draw = np.random.default_rng(7)
centres = draw.integers(0, 256, (50, 6), np.uint8)
for codes in (
    centres[draw.integers(0, 50, 21_000)] ^ np.packbits(draw.random((21_000, 48)) < 0.02, axis=1),
    draw.integers(0, 256, (21_000, 6), np.uint8),
    draw.integers(0, 256, (99, 6), np.uint8),
):
    index = HammingIndex.build(codes, 48)
    distances, rows = index.search(codes[:9], k=20)
    for query, near, found in zip(codes[:9], distances, rows):
        true = np.bitwise_count(codes ^ query).sum(axis=1)
        order = np.argsort(true, kind="stable")[:20]
        assert found.tolist() == order.tolist() and near.tolist() == true[order].tolist()
    layouts.append(index.stats()["layout"])
stats = [kernel.stats for _module, _name, kernel in compiling.kernels()]
print(json.dumps({
    "layouts": layouts,
    "found": sum(sum(stat.cache_hits.values()) for stat in stats),
    "compiled": sum(sum(stat.cache_misses.values()) for stat in stats),
    "cpu": [os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")],
}))
"""


pytestmark = pytest.mark.slow  # every kernel is compiled for three CPUs: minutes


@pytest.fixture(scope="module", autouse=True)
def machine() -> None:
    if kernels.compiled(()) is None:
        pytest.skip("packed kernels are for x86-64")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of a Bento, and kernels beside them."""
    folder = tmp_path_factory.mktemp("bento")
    make_generation(folder / "generation")
    command = [sys.executable, "-m", "services.retrieval.bento.build", str(folder / "generation")]
    command += ["--bento-home", str(folder / "home"), "--kernels", str(BITS)]
    tag = subprocess.run(command, cwd=sources.ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return folder / "home/bentos" / tag.replace(":", "/") / "src"


@pytest.fixture
def copied(packages: Path, tmp_path: Path) -> Path:
    return shutil.copytree(packages, tmp_path / "packages")


def serve(packages: Path, cache: Path, **settings: str) -> dict[str, Any]:
    """What a process says that serves from these packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": str(packages), "NUMBA_CACHE_DIR": str(cache), **settings}
    done = subprocess.run(
        [sys.executable, "-c", SERVING],
        env=environment,
        cwd=packages,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("target", cpu.TARGETS, ids=lambda target: target.name)
def test_each_set_is_complete_and_answers_as_the_definition_says(
    packages: Path, tmp_path: Path, target: cpu.Target
) -> None:
    if lacking := target.flags - cpu.flags():
        pytest.skip(f"this CPU has no {min(lacking)}")
    told = serve(packages, tmp_path / "cache", **target.environment)
    assert told["compiled"] == 0
    assert told["found"] > 40
    assert told["layouts"] == ["rings", "sliced", "flat"]
    assert not (tmp_path / "cache").exists()


def test_the_set_for_this_cpu_is_found_where_nothing_can_be_written(packages: Path, tmp_path: Path) -> None:
    target = cpu.best(cpu.flags())
    if target is None:
        pytest.skip("this CPU is older than x86-64-v3")
    nowhere = tmp_path / "file"
    nowhere.touch()
    told = serve(packages, nowhere / "cache")
    assert told["compiled"] == 0
    assert told["cpu"] == [target.cpu, target.features]


@pytest.mark.system
def test_a_served_bento_compiles_nothing(packages: Path, tmp_path: Path) -> None:
    if cpu.best(cpu.flags()) is None:
        pytest.skip("this CPU is older than x86-64-v3")
    bento = packages.parent
    home, cache = bento.parents[2], tmp_path / "cache"
    with EmbeddedServer(tmp_path / "store") as store:
        publish(store.url, home.with_name("generation"))
        variables = environment(store.url, home, NUMBA_CACHE_DIR=str(cache))
        for name in cpu.TARGETS[0].environment:
            variables.pop(name, None)
        with serving(str(bento), variables, tmp_path) as service:
            until(lambda: httpx.get(f"{service.url}/readyz").status_code == 200, 60)
            assert service.post(within="warm").status_code == 200
    assert not cache.exists()


def test_what_is_damaged_is_compiled_anew_and_stays_as_it_is(copied: Path, tmp_path: Path) -> None:
    packed = copied / kernel_places.PACKED
    whole = sorted(packed.rglob("flat.histogram-*.nbc"))
    cut = sorted(packed.rglob("flat.finish-*.nbi"))
    assert whole
    assert cut
    for file in whole:  # a byte of the machine code
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    for file in cut:
        file.write_bytes(file.read_bytes()[:20])
    before = {file: file.read_bytes() for file in [*whole, *cut]}
    assert serve(copied, tmp_path / "cache")["compiled"] == 2
    assert serve(copied, tmp_path / "cache")["compiled"] == 0  # kept by the user
    assert {file: file.read_bytes() for file in before} == before


def test_what_was_compiled_is_only_copied(monkeypatch: pytest.MonkeyPatch, packages: Path) -> None:
    monkeypatch.setattr(kernels, "_compile", None)
    assert kernels.compiled([BITS]) == kernels.compiled([8, 20, 64])


def test_codes_of_as_many_words_share_kernels() -> None:
    assert kernels.parts([16, 48, 64, 65, 128, 200, 256]) == ["items", "64", "128", "256"]
    assert kernels.parts([]) == []


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of the user's in which nothing is compiled yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path / f"packed-{kernel_places.identity()}"


def test_an_interruption_leaves_nothing_half_made(interrupted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        assert list(interrupted.glob(".draft-*"))
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        kernels.compiled([BITS])
    assert [file.name for file in interrupted.iterdir()] == [".lock"]


def test_what_cannot_be_compiled_is_one_line(interrupted: Path) -> None:
    with pytest.raises(
        TaxohashError, match=r"/5056 cannot be compiled \(.*from 8 to 1024\): .*--kernels none"
    ):
        kernels._compile(writable(interrupted), kernels.parts([5000])[1:])


def test_on_other_machines_none_are_packed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert kernels.compiled([BITS]) is None
