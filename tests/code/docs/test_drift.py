"""The PSI that docs/drift.md writes for Prometheus is that of the check for drift."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from taxohash.drift.statistics import bit_psi, psi
from tests.support.monitoring import PROGRAMS, needs_prometheus

PAGE = Path(__file__).parents[3] / "docs" / "drift.md"
BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "psi" in block]
OF_NODES = BLOCKS[0].replace("nearest_band", "top_node").replace("band", "node")
QUERIES, REFERENCE = 240, 2000
COUNTS = {"a": 120, "b": 90, "none": 30, "c": 0}  # of two processes together
SHARES = {"a": 0.4, "b": 0.4, "none": 0.2, "c": 0.0}


def series(name: str, label: str, value: float, grows: bool) -> dict[str, str]:
    """One of a process, from the beginning to the end of an hour."""
    values = f"0+{value / 60}x60" if grows else f"{value}x60"
    return {"series": f'{name}{{collection="shop", generation="g"{label}}}', "values": values}


def of_two(name: str, label: str, value: float, grows: bool = True) -> list[dict[str, str]]:
    parts = (value / 3, 2 * value / 3) if grows else (value, value)
    return [
        series(name, f'{label}, instance="{number}"', own, grows) for number, own in enumerate(parts, start=1)
    ]


def holds(folder: Path, rules: str, inputs: list[dict[str, str]], expression: str, wanted: float) -> None:
    """The expression has this value at the end of the hour."""
    (folder / "rules.yaml").write_text(rules)
    close = f"abs({expression} - {wanted!r}) < bool 1e-6"
    labels = '{collection="shop", generation="g"}'
    told: dict[str, Any] = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": inputs,
                "promql_expr_test": [
                    {"expr": close, "eval_time": "60m", "exp_samples": [{"labels": labels, "value": 1}]}
                ],
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(told))
    done = subprocess.run(
        [PROGRAMS / "promtool", "test", "rules", folder / "test.yaml"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
@pytest.mark.parametrize(
    ("rules", "metric", "label", "psi_of"),
    [
        (BLOCKS[0], "taxohash_nearest_band", "band", "bands"),
        (OF_NODES, "taxohash_top_node", "node", "nodes"),
    ],
    ids=["bands", "nodes"],
)
def test_psi_of_shares(tmp_path: Path, rules: str, metric: str, label: str, psi_of: str) -> None:
    inputs = of_two("taxohash_queries_reference", "", REFERENCE, grows=False)
    for name in COUNTS:
        inputs += of_two(f"{metric}_total", f', {label}="{name}"', COUNTS[name])
        inputs += of_two(f"{metric}_reference", f', {label}="{name}"', SHARES[name], grows=False)
    before, now = np.array([*SHARES.values()]), np.array([*COUNTS.values()]) / QUERIES
    holds(tmp_path, rules, inputs, f"generation:{psi_of}:psi", float(psi(before, now, REFERENCE, QUERIES)))


@needs_prometheus
def test_psi_of_bits(tmp_path: Path) -> None:
    shares, counts = np.array([0.5, 0.3, 0.0, 1.0]), np.array([120, 120, 3, 240])
    inputs = of_two("taxohash_queries_reference", "", REFERENCE, grows=False)
    inputs += of_two("taxohash_queries_total", "", QUERIES)
    for bit, (share, count) in enumerate(zip(shares.tolist(), counts.tolist(), strict=True)):
        inputs += of_two("taxohash_bit_set_total", f', bit="{bit}"', count)
        inputs += of_two("taxohash_bit_set_reference", f', bit="{bit}"', share, grows=False)
    wanted = float(bit_psi(shares, counts / QUERIES, REFERENCE, QUERIES).mean())
    holds(tmp_path, BLOCKS[1], inputs, "generation:bits:psi", wanted)
