"""The table says how many seeds stand behind a number."""

from typing import Any

from benchmarks.methods.finetuned import as_markdown


def test_the_table_shows_each_setting_by_itself() -> None:
    def row(method: str, seed: int, fine: float, size: int = 96) -> dict[str, Any]:
        return {
            "data": "set", "data_md5": "md5", "method": method, "bits": 48, "seed": seed, "size": size, "epochs": 2,
            "protocol": "flat", "device": "cpu", "trained": "0123456789abcdef",
            "metrics": {"mAP": fine, "mAHP": 0.5, "nDCG": 0.25},
        }  # fmt: skip

    rows = [row("csq", 0, 0.5), row("csq", 1, 0.6), row("shpdh", 0, 0.7), row("csq", 0, 0.9, size=128)]
    text = "\n".join(as_markdown(rows))
    assert "| csq | 48 | 2 | 55.0 ± 7.1 | 50.0 ± 0.0 | 25.0 ± 0.0 |" in text
    assert "| shpdh | 48 | 1 | 70.0 | 50.0 | 25.0 |" in text
    assert "## set, 128 px, 2 epochs" in text.split("| csq | 48 | 1 | 90.0 | 50.0 | 25.0 |")[0]
