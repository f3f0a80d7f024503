"""What each query scored, beside the report: its mean, its order, and files that hold none."""

from pathlib import Path

import numpy as np
import pytest

from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import read_report
from taxohash.evaluation.run import evaluate_generation
from taxohash.evaluation.scores import SCORES, load_scores, save_scores
from taxohash.release.export import export
from taxohash.training.run import Run


def test_an_evaluated_run_says_what_each_query_scored(run: Run, tmp_path: Path) -> None:
    scores, report = load_scores(run.folder), read_report(run.folder)
    levels = {name: value for name, value in report["metrics"].items() if name.startswith("mAP/")}
    assert len(levels) == 2
    means = report["headline"] | levels
    assert {name: values.shape for name, values in scores.items()} == dict.fromkeys(means, (48,))
    assert {name: float(values.mean()) for name, values in scores.items()} == pytest.approx(means)
    exported = evaluate_generation(export(run.folder, tmp_path), run.config.dataset).scores
    assert all(np.allclose(exported[name], values) for name, values in scores.items())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b"PK"),
        lambda file: file.write_bytes(file.read_bytes()[:-40]),
        lambda file: np.savez(file, mAP=np.ones((2, 2), np.float32)),
        lambda file: np.savez(file, mAP=np.array(["a"])),
        lambda file: np.savez(file),
        lambda file: file.unlink(),
    ],
)
def test_a_file_that_holds_no_scores_is_told_in_one_line(tmp_path: Path, spoil: object) -> None:
    file = save_scores(tmp_path, {"mAP": np.ones(3, np.float32)})
    assert file == tmp_path / SCORES
    spoil(file)  # type: ignore[operator]
    with pytest.raises(TaxohashError, match=r"scores\.npz") as caught:
        load_scores(tmp_path)
    assert "\n" not in str(caught.value)
    assert "run `taxohash evaluate` again" in str(caught.value)
