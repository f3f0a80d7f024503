"""One picture of each format and mode goes through everything: nobody downstream of the reader meets a mode of its own."""

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.shared.items import items
from services.codestore import CodeStore, GenerationRef, Item, ItemLabels, Snapshot
from services.codestore.checks import check_item
from services.codestore.pictures import Pictures
from taxohash.cli.encode import encode_files
from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.contact_sheet import contact_sheets
from taxohash.datasets.named import prepare
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.generation.hasher import CODES, Hasher
from taxohash.images import decode
from taxohash.networks.hashing import encode_pixels
from taxohash.release.export import export
from taxohash.training.run import Run, train
from tests.support.application import Client, filled, settings_of
from tests.support.miniature import HASHER
from tests.support.pictures import encoded, every_picture

SIZES = {"train": (20, 16), "test": (24, 18)}
PICTURES = {split: dict(every_picture(*size)) for split, size in SIZES.items()}
LOSSLESS = ("PNG", "BMP", "GIF")


@dataclass(frozen=True)
class Chain:
    """What was made of the pictures, in one folder: each is a class of its own format."""

    folder: Path
    dataset: Dataset
    run: Run
    generation: Path

    def file(self, split: str, name: str) -> Path:
        return tree(self.folder) / place(split, name)


def tree(folder: Path) -> Path:
    return folder / "tree"


def place(split: str, name: str) -> str:
    form = name.split()[0]
    kind = "lossless" if form in LOSSLESS else "lossy"
    return f"{split}/{kind}/{form}/{name}.{form.lower().replace('jpeg', 'jpg')}"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("pictures")
    for split, pictures in PICTURES.items():
        for name, data in pictures.items():
            file = tree(folder) / place(split, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    dataset = prepare("folder", folder / "set", str(tree(folder)))
    run = train(dataset.folder, folder / "run", HASHER)
    evaluate_run(run.folder)
    return Chain(folder, dataset, run, export(run.folder, folder / "generations"))


def test_the_set_is_sound_and_shown(chain: Chain) -> None:
    found = check(chain.dataset.folder, progress=False)
    assert found.ok
    assert found.images == {split: len(pictures) for split, pictures in PICTURES.items()}
    sheets = contact_sheets(chain.dataset, chain.folder / "sheets")
    assert [sheet.name for sheet in sheets] == ["lossless.png", "lossy.png"]


def test_the_report_shows_what_was_encoded(chain: Chain) -> None:
    shown = drawn_in((chain.run.folder / "report.html").read_text())
    decoded = {
        decode(data).convert("RGB").tobytes() for pictures in PICTURES.values() for data in pictures.values()
    }
    assert len(shown & decoded) > len(PICTURES["test"]) // 2  # each query, at most twelve, and first answers


def test_run_generation_and_command_encode_alike(chain: Chain) -> None:
    hasher, network = Hasher(chain.generation), chain.run.network()
    assert hasher.generation.preprocessing == network.preprocessing
    for split, pictures in PICTURES.items():
        names = [place(split, name) for name in pictures]
        order = [chain.dataset.paths(split).index(name) for name in names]
        codes = hasher.encode_pixels(chain.dataset.pixels(split, network.preprocessing))[order]
        files = [chain.file(split, name) for name in pictures]
        assert np.array_equal(encode_files(chain.generation, files), codes)
        assert np.array_equal(encode_files(chain.run.folder, files), codes)
        assert np.array_equal(hasher.encode(map(decode, pictures.values())), codes)
        assert np.array_equal(
            encode_pixels(network, chain.dataset.pixels(split, network.preprocessing))[order], codes
        )
    assert evaluate_generation(chain.generation, chain.dataset.folder).counts["queries"] == len(
        PICTURES["test"]
    )


@pytest.fixture(scope="module")
def catalog(chain: Chain) -> list[tuple[Item, bytes]]:
    """Items and their thumbnails."""
    pictures = Pictures.open(chain.folder / "pictures")
    numbers = np.arange(len(chain.dataset.taxonomy), dtype=np.int32)
    batches = items(chain.dataset, "train", numbers=numbers, pictures=pictures)
    return [(item, pictures.get(item.thumbnail)) for batch in batches for item in batch]


def test_thumbnails_are_what_was_encoded(chain: Chain, catalog: list[tuple[Item, bytes]]) -> None:
    hasher = Hasher(chain.generation)
    for (item, thumbnail), data in zip(catalog, chain.dataset.images("train"), strict=True):
        check_item(item, range(len(chain.dataset.taxonomy)))
        picture = Image.open(io.BytesIO(thumbnail))
        assert picture.format in ("PNG", "WEBP")
        assert picture.mode in ("1", "L", "P", "RGB")
        assert np.array_equal(np.asarray(picture.convert("RGB")), np.asarray(decode(data).convert("RGB")))
        codes = hasher.encode([decode(data), decode(thumbnail)])
        assert np.array_equal(codes[0], codes[1])


def test_the_service_finds_each_picture_and_its_thumbnail(
    chain: Chain, catalog: list[tuple[Item, bytes]]
) -> None:
    with serving(chain.dataset, chain.generation) as client:
        codes = np.load(chain.generation / CODES)
        images = chain.dataset.images("train")
        for row, ((item, thumbnail), data) in enumerate(zip(catalog, images, strict=True)):
            for picture in (data, thumbnail):
                answer = client.search(picture, k=str(len(catalog)))
                assert answer.status_code == 200, item.id
                told = answer.json()
                assert bytes.fromhex(told["code"]) == codes[row].tobytes()
                assert {result["id"]: result["distance"] for result in told["results"]}[item.id] == 0


def test_a_hasher_of_the_first_reader_meets_that_readers_pixels_everywhere(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split in SIZES:
        for row in range(12):  # of 65535: the first reader guessed the range, the later one sees black
            file = tmp_path / "tree" / split / f"class {row % 2}" / f"{row}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(Image.fromarray(random.integers(0, 256, (16, 16), np.uint16))))
    dataset = prepare("folder", tmp_path / "set", str(tmp_path / "tree"))
    trained = train(dataset.folder, tmp_path / "run", HASHER)
    config = json.loads((trained.folder / "config.json").read_text())
    del config["config"]["reader"]
    (trained.folder / "config.json").write_text(json.dumps(config))
    evaluate_run(trained.folder)
    generation = export(trained.folder, tmp_path / "generations")
    hasher = Hasher(generation)
    bright = [decode(data, version=1) for data in dataset.images("train")]
    assert all(np.asarray(image).max() > 200 for image in bright)
    codes = hasher.encode(bright)
    assert len(np.unique(codes, axis=0)) > 1
    assert np.array_equal(np.load(generation / CODES)[: len(codes)], codes)
    files = [tmp_path / "tree" / name for name in dataset.paths("train")]
    for source in (trained.folder, generation):
        assert np.array_equal(encode_files(source, files), codes)
    shown = drawn_in((trained.folder / "report.html").read_text())
    assert shown & {image.convert("RGB").tobytes() for image in bright}
    assert Image.new("RGB", (16, 16)).tobytes() not in shown
    with serving(dataset, generation) as client:
        for data, code in zip(dataset.images("train"), codes, strict=True):
            assert bytes.fromhex(client.search(data).json()["code"]) == code.tobytes()


def drawn_in(page: str) -> set[bytes]:
    """The pixels of the PNGs in a page, as RGB."""
    found = re.findall(r"data:image/png;base64,([^\"]+)", page)
    return {Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB").tobytes() for code in found}


@contextmanager
def serving(dataset: Dataset, folder: Path) -> Iterator[Client]:
    """The service's application over the training images and their codes."""
    hasher, names = Hasher(folder), dataset.paths("train")
    generation = hasher.generation
    snapshot = Snapshot(
        generation=GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256),
        ids=np.array(names, object),
        labels=ItemLabels.of(dataset.labels("train"), np.ones(len(names), np.int64)),
        codes=np.load(folder / CODES)[: len(names)],
        position=(0,),
    )
    store = CodeStore.connect("memory://")
    filled(store, snapshot, taxonomy=hasher.taxonomy)
    client = Client(settings_of(hasher), lambda seconds: store)
    try:
        yield client
    finally:
        client.close()
