"""The judge's step: generations and canaries as they lie in folders."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.reindex import steps
from taxohash.codes import bit_health
from taxohash.datasets import Dataset
from taxohash.datasets.ids import item_ids
from taxohash.datasets.writer import Row, write_dataset
from taxohash.generation.hasher import CODES, ITEMS, Hasher
from taxohash.images import decode
from taxohash.release.build import canaries_of
from taxohash.release.judging import Judgement
from taxohash.release.reindexing import Policy
from taxohash.runtime.atomic import read_json, write_json
from taxohash.runtime.configuration import canonical, read
from tests.support.generations import SIDE, TAXONOMY, make_generation, png
from tests.support.steps import refusal

CLASSES = range(len(TAXONOMY))


def picture(label: int, number: int) -> bytes:
    """One of a class: much like the others of it."""
    base = np.random.default_rng(label).integers(20, 236, (SIDE, SIDE))
    return png((base + np.random.default_rng(number).integers(-20, 20, (SIDE, SIDE))).astype(np.uint8))


def version(folder: Path, first: int, count: int, canaries: int = 24, relabelled: int = 0) -> Dataset:
    """A data version of items first, first + 1, ..., of which some have another label than their picture."""

    def rows(split: str, numbers: range, wrong: int) -> list[Row]:
        found = []
        for number in numbers:
            label = number % len(CLASSES)
            shown = (label + 1) % len(CLASSES) if number - first < wrong else label
            found.append(Row(picture(label, number), f"{split}/{number}", shown))
        return found

    splits = [("train", rows("train", range(first, first + count), relabelled))]
    if canaries:
        splits.append(("canary", rows("canary", range(10_000, 10_000 + canaries), 0)))
    write_dataset(folder, TAXONOMY, splits)
    return Dataset.open(folder)


def generation(home: Path, dataset: Dataset) -> str:
    """That of one hasher over a data version; its id."""
    draft = home / "draft"
    made = make_generation(draft)
    codes = Hasher(draft).encode(decode(data) for data in dataset.images("train"))
    np.save(draft / CODES, codes, allow_pickle=False)
    write_json(draft / ITEMS, {"ids": item_ids(dataset)["train"], "labels": dataset.item_labels("train")})
    if canaries := canaries_of(dataset):
        canaries.save(draft)
    health = bit_health(codes, made.bits).as_dict()
    parts = [{"split": "train", "rows": len(codes)}]
    written = replace(made, database=parts, dataset_md5=dataset.md5(), bit_health=health).write(draft)
    draft.rename(home / written.id)
    return written.id


def judged(home: Path, before: Dataset, after: Dataset, **policy: object) -> Judgement:
    champion, new = generation(home, before), generation(home, after)
    out = home / "judgement.json"
    given = canonical(Policy(**policy))  # type: ignore[arg-type]
    steps.judge_generation(champion, new, str(after.folder), str(home), given, str(out))
    return read(Judgement, read_json(out, ""))


def test_a_version_of_which_little_changed_passes(tmp_path: Path) -> None:
    before, after = version(tmp_path / "a", 0, 120), version(tmp_path / "b", 6, 120, relabelled=6)
    found = judged(tmp_path, before, after)
    assert found.verdict == "passes"
    values = {part.metric: part.value for part in found.compared}
    assert values["items gone"] == pytest.approx(6 / 120)
    assert values["items come"] == pytest.approx(6 / 120)
    assert values["items relabelled"] == pytest.approx(6 / 114)
    assert values["canary recall@10 (sign)"] == 1.0
    assert 0 < values["bit entropy"] <= 1


def test_a_version_without_canaries_is_judged_by_the_rest(tmp_path: Path) -> None:
    before, after = version(tmp_path / "a", 0, 60), version(tmp_path / "b", 30, 40, canaries=0)
    found = judged(tmp_path, before, after)
    assert found.verdict == "awaits"
    assert "50.0 % of the items go" in found.reason
    assert not any("canary" in part.metric for part in found.compared)


def test_labels_that_went_astray_are_refused_by_the_canaries(tmp_path: Path) -> None:
    before, after = version(tmp_path / "a", 0, 120), version(tmp_path / "b", 0, 120, relabelled=120)
    found = judged(tmp_path, before, after, relabelled_most=1.0)
    assert found.verdict == "refused"
    assert "canaries find their classes less often" in found.reason


def test_a_policy_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "gone_most = 2" in refusal(
        capsys, lambda: steps.judge_generation("a", "b", "data", str(tmp_path), '{"gone_most": 2}', "out")
    )
