"""Shards of a data set's codes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.release.build import build
from taxohash.release.draft import DRAFT, Draft, draft_of_generation, draft_of_run
from taxohash.release.export import export
from taxohash.release.shards import MOST, Shard, encode, joined, save
from taxohash.training.run import Run

SPLITS = ("train", "test")


@given(st.integers(0, 5000), st.integers(1, 64))
def test_shards_are_all_rows_once_in_their_order_and_alike_in_size(total: int, count: int) -> None:
    parts = [Shard(number, count).rows(total) for number in range(1, count + 1)]
    assert [row for part in parts for row in part] == [*range(total)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    "text", ["3", "0/4", "5/4", "a/b", "3/16 ", "-1/4", "1/0", "٣/٤", f"1/{MOST + 1}", ""]
)
def test_what_is_no_shard_is_one_line(text: str) -> None:
    with pytest.raises(TaxohashError, match="write it as 3/16"):
        Shard.parse(text)
    assert str(Shard.parse("3/16")) == "3/16"


@pytest.fixture(scope="module")
def draft(run: Run, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Draft:
    return draft_of_run(run, data, tmp_path_factory.mktemp("drafts") / "draft")


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_generation_is_the_same_however_many_shards_it_was_encoded_in(
    count: int, draft: Draft, run: Run, data: Dataset, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.npy" for number in range(1, count + 1)]
    for number, file in enumerate(files, start=1):
        save(
            encode(draft.model(), draft.preprocessing, data, SPLITS, Shard(number, count)),
            file,
        )
    codes = joined(files, 288, draft.bits)
    made = build(draft, data, SPLITS, codes, tmp_path / "generations")
    assert made.name == export(run.folder, tmp_path / "others").name
    assert build(draft, data, SPLITS, codes, tmp_path / "generations") == made
    assert not (made / DRAFT).exists()


def test_shards_that_are_damaged_lacking_or_of_others_are_refused(
    draft: Draft, data: Dataset, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.npy", tmp_path / "2.npy"
    codes = encode(draft.model(), draft.preprocessing, data, SPLITS, Shard(1, 2))
    save(codes, first)
    for content in (None, b"", b"no array"):
        if content is not None:
            second.write_bytes(content)
        with pytest.raises(TaxohashError, match="holds no codes: encode shard 2/2 again"):
            joined([first, second], 288, draft.bits)
    save(codes[:-1], second)
    with pytest.raises(TaxohashError, match="143"):
        joined([first, second], 288, draft.bits)
    with pytest.raises(TaxohashError, match="144"):
        build(draft, data, SPLITS, codes, tmp_path / "generations")
    assert not [*tmp_path.glob("generations/*")]


def test_the_hasher_of_a_generation_makes_codes_of_another_data_version(
    run: Run, data: Dataset, tmp_path: Path
) -> None:
    from taxohash.evaluation.report.read import read_report
    from taxohash.generation.hasher import Hasher
    from taxohash.generation.manifest import Generation

    champion = export(run.folder, tmp_path / "generations")
    report = read_report(run.folder)
    again = draft_of_generation(champion, data, report, tmp_path / "draft", "train")
    codes = encode(again.model(), again.preprocessing, data, ["test"])
    made = build(again, data, ["test"], codes, tmp_path / "generations")
    generation = Generation.load(made)
    assert generation.code_revision["hasher_of"] == champion.name
    assert made.name != champion.name
    assert np.array_equal(Hasher(made).codes, Hasher(champion).codes[240:])
    before = Generation.load(champion).reference
    for name in ("nearest_distance", "class_share"):
        assert generation.reference[name] == before[name]
    assert generation.reference["asked"]["bit_share"] == before["asked"]["bit_share"]


@pytest.mark.parametrize("said", ["{}", "[]", '{"bits": 0}'])
def test_a_folder_that_is_no_draft_is_one_line(said: str, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="export the run again"):
        Draft.open(tmp_path)
    (tmp_path / DRAFT).write_text(said)
    with pytest.raises(TaxohashError, match="describes no hasher"):
        Draft.open(tmp_path)
