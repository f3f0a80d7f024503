import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from taxohash.cli.encode import encode_files
from taxohash.codes import pack
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.images import Preprocessing, read_pixels
from tests.support.generations import BITS, SIDE, TAXONOMY, make_generation
from tests.support.pictures import encoded


def test_a_generation_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    written = make_generation(tmp_path)
    assert Generation.load(tmp_path) == written
    assert set(written.files) == {"hasher.onnx", "taxonomy.json"}


def test_the_id_changes_with_any_content(tmp_path: Path) -> None:
    ids = {make_generation(tmp_path / str(seed), seed).id for seed in range(3)}
    assert len(ids) == 3
    assert make_generation(tmp_path / "again", 0).id in ids


def test_what_is_indexed_is_part_of_the_id_and_keeps_its_order(tmp_path: Path) -> None:
    parts = [{"split": "train", "rows": 3}, {"split": "test", "rows": 2}]
    made = make_generation(tmp_path)
    ids = {replace(made, database=database).write(tmp_path).id for database in ([], parts, parts[::-1])}
    assert len(ids) == 3
    assert Generation.load(tmp_path).database == parts[::-1]


def test_a_generation_that_does_not_say_what_is_indexed_is_still_read(tmp_path: Path) -> None:
    written = make_generation(tmp_path)  # it names no split: nothing is written of them
    assert "database" not in json.loads((tmp_path / "generation.json").read_text())
    assert Generation.load(tmp_path) == written


@pytest.mark.parametrize("name", ["hasher.onnx", "taxonomy.json"])
def test_changed_bytes_are_refused(tmp_path: Path, name: str) -> None:
    make_generation(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(TaxohashError, match="has sha256"):
        Generation.load(tmp_path)
    file.unlink()
    with pytest.raises(TaxohashError, match=f"lacks {name}"):
        Generation.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bits": 32}, "it was edited"),
        ({"dataset_md5": "f" * 32}, "it was edited"),
        ({"id": "0" * 16}, "it was edited"),
        ({"format": 9}, "has format 9"),
        ({"files": {"../outside": "0"}}, "it was edited"),
        ({"preprocessing": 3}, "is not a generation's manifest"),
    ],
)
def test_an_edited_manifest_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    make_generation(tmp_path)
    file = tmp_path / "generation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TaxohashError, match=said):
        Generation.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"id": 1, "format": 1}', "[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "generation.json").write_text(text)
    with pytest.raises(TaxohashError):
        Generation.load(tmp_path)
    with pytest.raises(TaxohashError, match=r"no readable generation\.json"):
        Generation.load(tmp_path / "none")


@pytest.mark.parametrize("files", [[], None, "hasher.onnx", {"a\0": "0"}])
def test_files_that_are_none_are_refused(tmp_path: Path, files: Any) -> None:
    made = make_generation(tmp_path)
    forged = replace(made, files=files)
    told = {"format": 1, "id": forged.id, **forged.as_dict()}
    (tmp_path / "generation.json").write_text(json.dumps(told))
    with pytest.raises(TaxohashError, match=r"its files are no object|outside its folder"):
        Generation.load(tmp_path)


def test_the_hasher_encodes_as_its_network_says(tmp_path: Path) -> None:
    make_generation(tmp_path, seed=3)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 1, SIDE, SIDE), np.uint8)
    weights = np.random.default_rng(3).normal(size=(SIDE * SIDE, BITS)).astype(np.float32)
    expected = pack(((pixels.reshape(300, -1).astype(np.float32) - 127.5) @ weights).astype(np.float32))
    codes = Hasher(tmp_path).encode_pixels(pixels)
    assert np.array_equal(codes, expected)
    assert Hasher(tmp_path).encode([]).shape == (0, 3)


# As version 0.1 wrote it, when there was one reader of images and none was named.
EARLIER = Generation(
    bits=16,
    objective={"name": "none"},
    network="none",
    preprocessing=Preprocessing(8, 1, "pad", (127.5,), (64.0,), reader=1),
    taxonomy_sha256=TAXONOMY.sha256,
    dataset_md5="0" * 32 + ".dir",
    code_revision={},
    evaluation={},
    bit_health={},
    reference={},
)
EARLIER_ID = "a0783685a4dde974"


def test_a_manifest_that_names_no_reader_keeps_its_id_and_is_read_with_the_first(tmp_path: Path) -> None:
    assert EARLIER.id == EARLIER_ID
    TAXONOMY.save(tmp_path / "taxonomy.json")
    written = EARLIER.write(tmp_path)
    assert "reader" not in json.loads((tmp_path / "generation.json").read_text())["preprocessing"]
    assert Generation.load(tmp_path) == written
    assert Generation.load(tmp_path).preprocessing.reader == 1


def test_a_manifest_of_a_later_reader_is_refused_with_the_remedy(tmp_path: Path) -> None:
    make_generation(tmp_path)
    file = tmp_path / "generation.json"
    data = json.loads(file.read_text())
    data["preprocessing"]["reader"] = 9
    file.write_text(json.dumps(data))
    said = r"generation\.json: images are to be read by reader 9, .* or train and export it again"
    with pytest.raises(TaxohashError, match=said):
        Generation.load(tmp_path)


def test_images_are_encoded_with_the_reader_that_the_generation_names(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    dark = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)  # of 65535: the first reader guessed
    picture.write_bytes(encoded(Image.fromarray(dark)))
    codes = []
    for reader in (1, 2):
        folder = tmp_path / str(reader)
        generation = make_generation(folder)
        read = replace(generation.preprocessing, reader=reader)
        replace(generation, preprocessing=read).write(folder)
        codes.append(encode_files(folder, [picture]))
        expected = Hasher(folder).encode_pixels(read_pixels(picture.read_bytes(), read)[None])
        assert np.array_equal(codes[-1], expected)
    assert not np.array_equal(codes[0], codes[1])
