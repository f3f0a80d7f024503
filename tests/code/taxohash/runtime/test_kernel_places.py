"""Packed kernels are chosen before numba is imported, where they fit; otherwise all goes on without them."""

import logging
import os
import sys
from pathlib import Path

import pytest

from taxohash.runtime import cpu, kernel_places, sources

NAMES = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


@pytest.fixture(name="packed")
def packed_beside_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of packed kernels of these sources, in a process that has not imported numba."""
    identity = kernel_places.identity()
    monkeypatch.setattr(kernel_places, "identity", lambda: identity)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(cpu, "flags", lambda: cpu.TARGETS[1].flags)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back, whatever is set
        monkeypatch.delenv(name)
    return tmp_path / kernel_places.PACKED / identity


def pack(packed: Path, *targets: cpu.Target) -> None:
    for target in targets:
        (packed / target.name / "64").mkdir(parents=True)


def chosen() -> list[str | None]:
    kernel_places.choose()
    return [os.environ.get(name) for name in NAMES]


def test_the_best_for_this_cpu_is_chosen(packed: Path, caplog: pytest.LogCaptureFixture) -> None:
    pack(packed, *cpu.TARGETS)
    assert chosen() == ["x86-64-v4", ""]
    assert not caplog.records


def test_another_cpu_gets_another(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(packed, *cpu.TARGETS)
    monkeypatch.setattr(cpu, "flags", lambda: cpu.TARGETS[0].flags)
    assert chosen() == ["x86-64-v4", "+avx512vpopcntdq"]


def test_without_packed_ones_nothing_is_said(packed: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert chosen() == [None, None]
    assert not caplog.records


def test_those_of_other_sources_are_not_used(packed: Path, caplog: pytest.LogCaptureFixture) -> None:
    pack(packed.with_name("0123456789abcdef"), *cpu.TARGETS)
    assert chosen() == [None, None]
    assert "other sources" in caplog.text
    assert len(caplog.records) == 1


def test_those_for_other_cpus_are_not_used(packed: Path, caplog: pytest.LogCaptureFixture) -> None:
    pack(packed, cpu.TARGETS[0])
    assert chosen() == [None, None]
    assert "kinds of CPUs that this one is not" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_user_has_chosen_stays(packed: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(packed, *cpu.TARGETS)
    monkeypatch.setenv(name, "")
    kernel_places.choose()
    assert {name: os.environ.get(name) for name in NAMES} == dict.fromkeys(NAMES) | {name: ""}


def test_after_numba_was_imported_it_is_too_late(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(packed, *cpu.TARGETS)
    monkeypatch.setitem(sys.modules, "numba", sys)
    assert chosen() == [None, None]


def test_the_user_says_where_kernels_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel_places.user_folder() == tmp_path / "taxohash/kernels"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert kernel_places.user_folder() == tmp_path / "own"
