"""Markdown as the committed tables have it."""

from pathlib import Path

import pytest

from benchmarks.common.tables import by_bits, options_cell, publish, spread, table


def test_a_table_has_a_head_and_a_line_each() -> None:
    assert table(["method", "mAP"], [["csq", "1.0"], ["dcwh", ""]]) == [
        "| method | mAP |",
        "|---|---|",
        "| csq | 1.0 |",
        "| dcwh |  |",
    ]
    assert by_bits((16, 32), [["csq", "1", "2"]])[0] == "| method | 16 bits | 32 bits |"


def test_a_cell_is_mean_and_sample_deviation_of_the_seeds() -> None:
    assert spread([1.0, 2.0, 3.0]) == "2.0 ± 1.0"
    assert spread([1.0, 1.5], digits=2) == "1.25 ± 0.35"
    assert spread([0.25], digits=2) == "0.25"
    assert spread([]) == ""


def test_options_are_short() -> None:
    assert options_cell({"lr": 3e-3, "inverse_variances": [0.39999999999999997, 1.0]}) == (
        "lr 0.003, inverse_variances 0.4/1"
    )
    assert options_cell({}) == "as published"


def test_what_is_published_is_also_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path / "made" / "table.md", ["# ±", ""])
    assert (tmp_path / "made" / "table.md").read_text(encoding="utf-8") == "# ±\n\n"
    assert "# ±" in capsys.readouterr().out
