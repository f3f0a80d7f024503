"""The cache of what was downloaded."""

from pathlib import Path

import pytest

from taxohash.datasets.named.download import cached


def test_the_cache_is_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXOHASH_CACHE", str(tmp_path / "cache"))
    calls: list[Path] = []

    def fill(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").touch()

    for _ in range(2):
        assert (cached("name", fill) / "file").exists()
    assert len(calls) == 1
