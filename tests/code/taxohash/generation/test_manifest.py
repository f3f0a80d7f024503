import hashlib
import io
import json
from collections.abc import Callable
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
    with pytest.raises(TaxohashError, match=f'lacks "{name}"'):
        Generation.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bits": 32}, "it was edited"),
        ({"dataset_md5": "f" * 32}, "it was edited"),
        ({"id": "0" * 16}, "it was edited"),
        ({"format": 9}, "has format 9"),
        ({"files": {"../outside": "0" * 64}}, "it was edited"),
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


def odd(**change: object) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (odd(files=None), "files = null: give an object"),
        (odd(files=[]), r"files = \[\]: give an object"),
        (odd(files={"a": 3}), "files = 3: give"),
        (odd(files={"a": "x\ny"}), "files = "),
        *(
            (odd(files={name: "0" * 64}), "lacks ")
            for name in ("", ".", "..", "../x", "a\0b", "a\nb", "\ud800", "x" * 300)
        ),
        (odd(bits="8"), 'bits = "8": give a whole number'),
        (odd(bits=0), "bits = 0"),
        (odd(more=1), "more is not known"),
        (odd(database=3), "database = 3"),
        (odd(database=[{"split": "train"}]), "database.0.rows is missing"),
        (odd(taxonomy_sha256="a\nb"), "taxonomy_sha256 = "),
        (odd(evaluation=[]), "evaluation = "),
        (lambda data: data["preprocessing"].update(mean="127"), "preprocessing.mean = "),
        (lambda data: data["preprocessing"].update(size=-1), "preprocessing.size = -1"),
        (lambda data: data["preprocessing"].update(channels=2), "preprocessing.channels = 2"),
        (lambda data: data["preprocessing"].update(fit="a\u2028b"), "preprocessing.fit = "),
        (lambda data: data["preprocessing"].update(reader=True), "preprocessing.reader = true"),
        (lambda data: data["preprocessing"].pop("std"), "preprocessing.std is missing"),
    ],
)
def test_a_sealed_manifest_of_another_form_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    """Its id is right: whoever wrote it meant it so."""
    make_generation(tmp_path)
    file = tmp_path / "generation.json"
    data = json.loads(file.read_text())
    version = data.pop("format")
    del data["id"]
    change(data)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    sealed = data | {"format": version, "id": hashlib.sha256(text.encode()).hexdigest()[:16]}
    file.write_text(json.dumps(sealed))
    with pytest.raises(TaxohashError, match=said) as refused:
        Generation.load(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("change", [{"id": "a\nb"}, {"id": None}, {"format": "1\n"}, {"format": []}])
def test_an_odd_id_or_format_is_refused_in_one_line(tmp_path: Path, change: dict[str, object]) -> None:
    make_generation(tmp_path)
    file = tmp_path / "generation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TaxohashError, match=r"says id|has format") as refused:
        Generation.load(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


ARRAYS = {
    b"": "holds no array",
    b"PK\x03\x04": "holds no array",
    npy(np.zeros((6, 3), np.uint8))[:-1]: "holds no array",
    npy(np.zeros((6, 3), np.uint8)).replace(b"(6, 3)", b"(6, $)"): "holds no array",
    npy(np.zeros((6, 3), np.uint8)).replace(b"(6, 3), }     ", b"(6000000000, 3), }"): "holds no array",
    npy(np.zeros((6, 3), np.uint8)).replace(b"|u1", b"|O8"): "holds no array",
    npy(np.zeros((6, 2), np.uint8)): "20 bits need uint8",
    npy(np.zeros((6, 3))): "20 bits need uint8",
    npy(np.full((6, 3), 255, np.uint8)): "bits set beyond the first 20",
    npy(np.zeros((5, 3), np.uint8)): r"\[5, 3\]: 20 bits need uint8\[6, 3\]",
}


@pytest.mark.parametrize(("content", "said"), ARRAYS.items(), ids=range(len(ARRAYS)))
@pytest.mark.parametrize("name", ["codes.npy", "centres.npy"])
def test_sealed_codes_that_are_none_are_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    made = make_generation(tmp_path)
    (tmp_path / name).write_bytes(content)
    replace(made, database=[{"split": "train", "rows": 6}]).write(tmp_path)
    with pytest.raises(TaxohashError, match=said):
        assert Hasher(tmp_path).codes is None  # class codes are read at once, the others when asked for


def test_codes_that_are_not_there_are_told(tmp_path: Path) -> None:
    make_generation(tmp_path)
    with pytest.raises(TaxohashError, match=r"codes\.npy cannot be read \(No such file"):
        assert Hasher(tmp_path).codes is None


def test_a_sealed_network_that_is_none_of_a_hasher_is_refused(tmp_path: Path) -> None:
    made = make_generation(tmp_path)
    file = tmp_path / "hasher.onnx"
    whole = file.read_bytes()
    for content, said in (
        (b"no network", "cannot be read as ONNX"),
        (whole[: len(whole) // 2], "cannot be read as ONNX"),
        (whole.replace(b"images", b"pixels"), "no network that maps images to outputs"),
    ):
        file.write_bytes(content)
        made.write(tmp_path)
        with pytest.raises(TaxohashError, match=said):
            Hasher(tmp_path)


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
