from pathlib import Path

import pyarrow.parquet as pq

from pipelines.shared.data_pictures import DataPictures
from taxohash.datasets.ids import item_ids
from tests.support.miniature import make_dataset


def test_pictures_are_found_by_the_ids_of_their_items(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", train=300, test=6)
    pictures = DataPictures(dataset)
    for split, ids in item_ids(dataset).items():
        wanted = list(dataset.images(split))
        for row in (len(ids) - 1, 0, len(ids) // 2):
            assert pictures(ids[row]) == wanted[row]
    assert pictures("never there") is None


def test_a_split_in_pieces_is_read_a_piece_at_a_time(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", train=7, test=6)
    table = pq.read_table(dataset.folder / "train.parquet")
    pq.write_table(table, dataset.folder / "train.parquet", row_group_size=2)
    assert len(dataset.row_groups("train")) == 4
    pictures, ids = DataPictures(dataset), item_ids(dataset)["train"]
    assert [pictures(item_id) for item_id in ids] == list(dataset.images("train"))
