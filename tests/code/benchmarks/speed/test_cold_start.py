"""The benchmark of the cold start, tiny: what it measures and says, never how fast."""

from types import SimpleNamespace

import pytest

from benchmarks.common.rows import Row
from benchmarks.speed.codestore.data import running
from benchmarks.speed.cold_start import searches, starts
from benchmarks.speed.cold_start.report import as_markdown
from taxohash.runtime import cpu
from taxohash.runtime.sources import ROOT

MADE_BY = {"command": "c", "commit": "0123456789abcdef", "cpu": "some", "cores": 2, "load": 0.0}


def test_a_start_is_told_in_parts() -> None:
    with running() as bench:
        bench.published(starts.Clustered(500))
        told = starts.process(bench.url, ROOT, None)
    *parts, in_all, _cpu = told["seconds"].values()
    assert min(parts) > 0
    assert in_all == pytest.approx(sum(parts))
    assert told["items"] == 500
    assert told["found"] + told["compiled"] > 0


@pytest.mark.slow
def test_searches_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same kernels: packed ones for other CPUs take too long to compile here."""
    same = SimpleNamespace(name="same", environment={}, flags=frozenset())
    monkeypatch.setattr(cpu, "TARGETS", (same,))
    monkeypatch.setattr(searches, "TURNS", 2)
    rows: list[Row] = searches.measure(300, 64, False, 1, ROOT)
    assert [(row["target"], row["queries"], row["layout"]) for row in rows if row["target"] == "same"] == [
        ("same", 1, "flat"),
        ("same", 100, "flat"),
    ]
    assert all(row["native_us"] > 0 and row["ratio_of_medians"] > 0 for row in rows)
    page = as_markdown([row | {"made_by": MADE_BY} for row in rows])
    assert "| 300 x 64 | flat | 100 | same |" in "\n".join(page)
