"""What a program may ask a hasher to encode, and what it is told of the rest."""

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from PIL import Image

from taxohash.errors import TaxohashError
from taxohash.generation.hasher import CODES, ITEMS, MODEL, Hasher
from tests.support.generations import SIDE, make_generation

GREY = np.random.default_rng(2).integers(0, 256, (3, SIDE, SIDE), np.uint8)
COLOURS = np.repeat(GREY[..., None], 3, axis=3)


@pytest.fixture(scope="module")
def hasher(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    folder = tmp_path_factory.mktemp("generation")
    make_generation(folder)
    return Hasher(folder)


def test_lists_generators_and_arrays_of_images_are_encoded_alike(hasher: Hasher) -> None:
    expected = hasher.encode_pixels(GREY[:, None])

    def one_by_one() -> Iterator[Image.Image]:
        yield from map(Image.fromarray, GREY)

    for images in (list(GREY), list(COLOURS), COLOURS, one_by_one()):
        np.testing.assert_array_equal(hasher.encode(images), expected)


def test_a_catalogue_is_encoded_block_by_block(hasher: Hasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxohash.generation.hasher.BLOCK", 4)
    read: list[int] = []
    seen: list[int] = []

    def images() -> Iterator[npt.NDArray[np.uint8]]:
        for number in range(10):
            read.append(number)
            yield GREY[number % 3]

    inner = hasher.encode_pixels

    def encode_pixels(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        seen.append(len(read))
        return inner(pixels)

    monkeypatch.setattr(hasher, "encode_pixels", encode_pixels)
    codes = hasher.encode(images())
    assert seen == [4, 8, 10]
    np.testing.assert_array_equal(codes, inner(GREY[np.arange(10) % 3][:, None]))


@pytest.mark.parametrize(
    "images",
    ["picture.png", Path("picture.png"), b"picture", Image.new("L", (4, 4)), COLOURS[0], GREY, GREY[0, 0]],
)
def test_one_image_is_not_taken_for_a_list_of_its_parts(hasher: Hasher, images: Any) -> None:
    with pytest.raises(TaxohashError, match="is one image, or none: give a list of images"):
        hasher.encode(images)


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (None, "NoneType is no list of images"),
        ([GREY[0], None], "^image 1: NoneType is no picture"),
        ([GREY[0], b""], "^image 1: image of 0 bytes"),
        (["https://example.org/a.png"], r"^https://example\.org/a\.png cannot be read"),
    ],
)
def test_what_is_no_image_is_counted_or_named(hasher: Hasher, images: Any, told: str) -> None:
    with pytest.raises(TaxohashError, match=told):
        hasher.encode(images)


@pytest.mark.parametrize("pixels", [[1, 2], 3, GREY, COLOURS, GREY[:, None].astype(float), GREY[0, None]])
def test_pixels_of_another_shape_or_type_are_refused(hasher: Hasher, pixels: Any) -> None:
    with pytest.raises(TaxohashError, match=rf"give uint8\[N, 1, {SIDE}, {SIDE}\]"):
        hasher.encode_pixels(pixels)


@pytest.mark.parametrize("threads", [None, 0, -1, "2", 2.5, 10**9])
def test_a_number_of_threads_that_is_none_is_refused(tmp_path: Path, threads: Any) -> None:
    make_generation(tmp_path)
    with pytest.raises(TaxohashError, match=r"threads = .*: give a whole number from 1 to"):
        Hasher(tmp_path, threads)


def test_several_threads_may_encode(hasher: Hasher) -> None:
    images = [*COLOURS] * 20
    with ThreadPoolExecutor(4) as pool:
        for codes in pool.map(hasher.encode, [images] * 12):
            np.testing.assert_array_equal(codes, hasher.encode(images))


def test_a_hasher_travels_to_another_process_as_its_folder(hasher: Hasher) -> None:
    copy = pickle.loads(pickle.dumps(hasher))  # noqa: S301 (made here)
    np.testing.assert_array_equal(copy.encode(COLOURS), hasher.encode(COLOURS))


def test_it_reports_to_nobody(hasher: Hasher, tmp_path: Path) -> None:
    # What is reported is first kept in files, and nothing is where ONNX Runtime takes itself for tested.
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from taxohash.generation.hasher import Hasher; Hasher(sys.argv[1]).bits", hasher.folder],
        cwd=Path(__file__).parents[4], env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [*tmp_path.iterdir()]


def test_images_ask_with_their_codes_and_the_weights_of_the_bits(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = hasher.encode_queries(COLOURS)
    outputs = hasher.model.outputs(GREY[:, None])
    np.testing.assert_array_equal(queries.outputs, outputs)
    np.testing.assert_array_equal(queries.weights, np.abs(outputs))
    np.testing.assert_array_equal(queries.codes, hasher.encode(COLOURS))
    assert queries.weights.dtype == np.float32
    monkeypatch.setattr("taxohash.generation.hasher.BLOCK", 2)
    np.testing.assert_allclose(hasher.encode_queries(COLOURS).outputs, outputs, rtol=1e-5)
    nothing = hasher.encode_queries([])
    assert (len(nothing), nothing.codes.shape, nothing.weights.shape) == (0, (0, 3), (0, 20))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_refused(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    outputs = np.ones((3, 20), np.float32)
    outputs[1, 4] = value
    monkeypatch.setattr(hasher.model, "outputs", lambda pixels: outputs)
    with pytest.raises(TaxohashError, match="gives a picture NaN or infinity: train another"):
        hasher.encode_queries(COLOURS)


@pytest.mark.parametrize("place", ["../weights", "/etc/hostname"])
def test_a_network_reads_no_file_outside_of_its_generation(tmp_path: Path, place: str) -> None:
    """ONNX lets a network name other files as its weights."""
    made = make_generation(tmp_path / "generation")
    file = tmp_path / "generation" / MODEL
    model = onnx.load(file)
    weights = model.graph.initializer[0]
    (tmp_path / "weights").write_bytes(onnx.numpy_helper.to_array(weights).tobytes())
    for field in ("raw_data", "float_data"):
        weights.ClearField(field)
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=place)
    file.write_bytes(model.SerializeToString())
    made.write(tmp_path / "generation")
    with pytest.raises(TaxohashError, match="cannot be read as ONNX"):
        Hasher(tmp_path / "generation")


def test_a_generation_without_codes_says_so(hasher: Hasher) -> None:
    with pytest.raises(TaxohashError, match=r"cannot be read .* export the generation again"):
        _ = hasher.codes


def named(folder: Path, items: object) -> Hasher:
    """A hasher of three codes, whose items are said to be these."""
    made = make_generation(folder)
    np.save(folder / CODES, np.zeros((3, 3), np.uint8))
    (folder / ITEMS).write_text(json.dumps(items))
    made.write(folder)
    return Hasher(folder)


def test_a_node_has_the_codes_of_the_items_below_it(tmp_path: Path) -> None:
    hasher = named(tmp_path, {"ids": ["a", "b\n", "c"], "labels": [[0, 4], [], [2]]})
    assert hasher.ids == ("a", "b\n", "c")
    assert hasher.labels == ((0, 4), (), (2,))
    for node, expected in [
        ("warm", [True, False, True]),
        ("/warm/red/", [True, False, False]),
        ("cold", [True, False, False]),
        ("grey <b>&amp;", [False] * 3),
    ]:
        assert hasher.below(node).tolist() == expected
    with pytest.raises(TaxohashError, match="has no node 'green'"):
        hasher.below("green")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "is no configuration"),
        ({"ids": ["a", "b", "c"]}, "labels is missing"),
        ({"ids": ["a", "b", 3], "labels": [[], [], []]}, "ids.2 = 3: give text"),
        ({"ids": ["a", "b", "c"], "labels": [[], [], 0]}, "labels.2 = 0: give a list"),
        ({"ids": ["a", "b", "c"], "labels": [[], [], [-1]]}, "labels.2.0 = -1"),
        (
            {"ids": ["a", "b", "c"], "labels": [[], [], [6]]},
            "lists of labels up to 6 for 3 codes and 6 labels",
        ),
        ({"ids": ["a", "b"], "labels": [[], []]}, "has 2 ids and 2 lists of labels"),
        ({"ids": ["a", "b", "c"], "labels": [[], []]}, "has 3 ids and 2 lists of labels"),
        ({"ids": ["a", "b", "c"], "labels": [[], [], []], "more": 1}, "more is not known"),
    ],
)
def test_items_that_are_not_those_of_the_codes_are_refused(tmp_path: Path, items: object, said: str) -> None:
    with pytest.raises(TaxohashError, match=re.escape(said)) as refused:
        _ = named(tmp_path, items).labels
    assert len(str(refused.value).splitlines()) == 1
    assert "export the generation again" in str(refused.value)
