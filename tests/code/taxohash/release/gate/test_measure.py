"""Evidence from folders: a trained run, its export, and a champion of another kind."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taxohash.datasets import Dataset
from taxohash.datasets.writer import Row, write_split
from taxohash.evaluation.baseline import measure_yardsticks
from taxohash.evaluation.report.read import REPORT
from taxohash.evaluation.run import evaluate_generation
from taxohash.evaluation.scores import save_scores
from taxohash.generation.hasher import MODEL
from taxohash.release.draft import draft_of_run
from taxohash.release.export import export
from taxohash.release.gate import judge
from taxohash.release.gate.measure import leaked, measure
from taxohash.runtime.atomic import write_json
from taxohash.training.run import Run


@pytest.fixture(scope="module")
def evaluated(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run with yardsticks."""
    folder = tmp_path_factory.mktemp("gate") / "run"
    shutil.copytree(run.folder, folder)
    measure_yardsticks(folder)
    return folder


@pytest.fixture(scope="module")
def draft(evaluated: Path, data: Dataset) -> Path:
    return draft_of_run(Run.open(evaluated), data, evaluated.parent / "draft").folder


def test_a_run_and_its_own_generation_are_measured_alike(
    evaluated: Path, draft: Path, data: Dataset, tmp_path: Path
) -> None:
    alone = measure(evaluated, draft, None, data.folder, data.md5())
    assert alone.champion is None
    assert judge(alone).verdict == "passes", judge(alone).reason
    assert alone.challenger.size == (draft / MODEL).stat().st_size
    assert (alone.challenger.seconds or 0) > 0
    assert not alone.leaked.any()

    generation = export(evaluated, tmp_path / "generations")
    before = tmp_path / "before"
    before.mkdir()
    report = evaluate_generation(generation, data.folder)
    provenance = {"queries": "test", "database": "train", "dataset_md5": data.md5()}
    write_json(before / REPORT, report.as_dict() | {"provenance": provenance})
    save_scores(before, report.scores)
    both = measure(evaluated, draft, (before, generation), data.folder, data.md5())
    assert both.champion is not None
    measured = ("scores", "calibration", "seconds")  # by the network itself, and by its export
    same = [
        {name: value for name, value in vars(one).items() if name not in measured}
        for one in (both.champion, both.challenger)
    ]
    assert same[0] == same[1]
    found = judge(both)
    assert found.verdict == "passes"
    assert "is the champion itself" in found.reason

    other = judge(measure(evaluated, draft, (before, generation), data.folder, "another"))
    assert [one.rule for one in other.findings if one.verdict == "refused"] == ["data"]


@pytest.mark.parametrize(
    "copied",
    [
        pytest.param(lambda data: data, id="bytes"),
        pytest.param(lambda data: bmp(data), id="pixels"),
    ],
)
def test_queries_in_the_training_split_are_found_by_bytes_and_by_pixels(
    data: Dataset, tmp_path: Path, copied: Callable[[bytes], bytes]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data.folder, folder)
    labels, images = data.labels("train"), list(data.images("train"))
    planted = list(data.images("test", [3, 40]))
    rows = [
        Row(image, f"train/{i}", int(label))
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    rows += [Row(copied(image), f"copy/{i}", 0) for i, image in enumerate(planted)]
    write_split(folder / "train.parquet", rows)
    found = leaked(Dataset.open(folder), "train", "test")
    same = {image for image in data.images("test") if image in planted}
    assert np.flatnonzero(found).tolist() == [
        row for row, image in enumerate(data.images("test")) if image in same
    ]
    assert {3, 40} <= set(np.flatnonzero(found).tolist())
    assert leaked(data, "test", "test").all()


def bmp(data: bytes) -> bytes:
    """The same pixels in another format."""
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "BMP")
    return file.getvalue()
