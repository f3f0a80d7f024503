"""Pictures that no trial learns from."""

from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.datasets import Dataset
from taxohash.datasets.writer import write_split
from taxohash.errors import TaxohashError
from taxohash.sweep.held_out import HELD_OUT, drawn, held_out
from tests.support.miniature import make_dataset
from tests.support.tiny import TAXONOMY, make_tiny, tiny_rows


def digest_of(number: int) -> bytes:
    return blake2b(str(number).encode(), digest_size=16).digest() if number else b""


@given(
    st.lists(st.tuples(st.integers(0, 40), st.lists(st.integers(0, 4), min_size=1, max_size=2)), max_size=60)
)
def test_copies_stay_together_and_every_label_keeps_a_picture(rows: list[tuple[int, list[int]]]) -> None:
    digests, labels = [digest_of(number) for number, _ in rows], [tuple(own) for _, own in rows]
    away = drawn(digests, labels, 0.5)
    assert all(len({bool(away[i]) for i in range(len(rows)) if digests[i] == one}) <= 1 for one in digests)
    for label in {label for own in labels for label in own}:
        assert any(not away[i] for i, own in enumerate(labels) if label in own)
    longer = drawn([*digests, digest_of(99)], [*labels, (5,)], 0.5)
    np.testing.assert_array_equal(longer[:-1], away)


def test_about_the_share_is_held_out() -> None:
    away = drawn([digest_of(i) for i in range(1, 5001)], [(i % 7,) for i in range(5000)])
    assert abs(away.mean() - 0.2) < 0.02


@pytest.mark.parametrize("known", ["label", "labels"])
def test_a_copy_is_made_once_in_which_they_are_a_split(tmp_path: Path, known: str) -> None:
    dataset = make_dataset(tmp_path / "data", 120, 12, known=known, asked=known)  # type: ignore[arg-type]
    found, split = held_out(dataset, tmp_path / "copy")
    assert (split, found.splits) == (HELD_OUT, ("train", HELD_OUT))
    assert found.count("train") + found.count(split) == 120
    assert found.label_column(split) == known
    both = [*zip(found.images("train"), found.item_labels("train"), strict=True)]
    both += zip(found.images(split), found.item_labels(split), strict=True)
    given = zip(dataset.images("train"), dataset.item_labels("train"), strict=True)
    assert sorted((image, list(own)) for image, own in both) == sorted(
        (image, list(own)) for image, own in given
    )
    again, _ = held_out(dataset, tmp_path / "copy")
    assert again.md5() == found.md5()


def test_a_split_val_is_what_is_held_out(tmp_path: Path) -> None:
    folder = make_tiny(tmp_path / "data")
    write_split(folder / "val.parquet", tiny_rows("test"))
    dataset = Dataset.open(folder)
    assert held_out(dataset, tmp_path / "copy") == (dataset, "val")
    assert not (tmp_path / "copy").exists()


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    folder = make_tiny(tmp_path / "data")
    write_split(folder / "train.parquet", tiny_rows("train")[: len(TAXONOMY)])
    with pytest.raises(TaxohashError, match="3 pictures, too few to hold any out: add a split val"):
        held_out(Dataset.open(folder), tmp_path / "copy")
