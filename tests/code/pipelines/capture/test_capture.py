"""What was written and asked while serving becomes a part of the next data version."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.capture import capture as module
from pipelines.capture import parts as parts_module
from pipelines.capture.capture import Captured, capture, wanted_of
from pipelines.capture.corrections import Correction
from services.codestore import CodeStore, GenerationRef, Item, StoreUnavailableError
from services.codestore.pictures import Pictures, digest_of
from services.codestore.sampled import Facts, SampledQueries, SampledQuery
from taxohash.datasets import Dataset
from taxohash.datasets.check import check
from taxohash.datasets.ids import item_ids
from taxohash.datasets.join import join
from taxohash.errors import TaxohashError
from tests.support.data_versions import image
from tests.support.tiny import TAXONOMY

COLLECTION = "shop"


@dataclass
class Shop:
    """A store with its pictures and sampled queries."""

    store: CodeStore
    pictures: Pictures
    queries: SampledQueries

    def put(
        self, item_id: str, *labels: int, picture: bytes | None = None, tags: tuple[str, ...] = ()
    ) -> str:
        digest = self.pictures.put(image(item_id) if picture is None else picture)
        self.store.upsert(COLLECTION, [Item(item_id, labels, picture=digest, tags=tags)])
        return digest

    def ask(self, name: str, when: int = 1) -> str:
        facts = Facts(when=when, share=1.0, generation="g", bits=8, code="0f", pixels="0" * 16, nearest=2)
        return self.queries.keep(SampledQuery(image(name), facts)).digest

    def capture(self, out: Path, *corrections: tuple[str, int], **wanted: Any) -> Captured:
        options: dict[str, Any] = {
            "split": "train",
            "unlabelled": "",
            "several": False,
            "beside": None,
        } | wanted
        given = [Correction("here", query, (label,)) for query, label in corrections]
        asked = wanted_of(TAXONOMY, **options)
        return capture(self.store, COLLECTION, self.pictures, self.queries, given, asked, out)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    pictures = Pictures.open(tmp_path / "pictures")
    with CodeStore.connect("memory://") as store:
        store.create(COLLECTION, TAXONOMY, segments=2)
        yield Shop(store, pictures, SampledQueries(pictures.place, COLLECTION))


def labelled(folder: Path, split: str = "train") -> dict[str, int]:
    dataset = Dataset.open(folder)
    return dict(zip(item_ids(dataset)[split], dataset.labels(split).tolist(), strict=True))


def test_items_and_labelled_queries_become_a_data_set(shop: Shop, tmp_path: Path) -> None:
    shop.put("über/shoe 1", 0, tags=("animal/dog",))
    shop.put("shoe 2", 2)
    asked, other = shop.ask("asked"), shop.ask("asked too")
    shop.ask("asked", when=2)
    out = tmp_path / "more"
    found = shop.capture(out, (asked[:12], 1), ("expired", 1))
    assert labelled(out) == {"shoe 2": 2, "über/shoe 1": 0, asked: 1}
    assert (found.images, found.items, found.queries) == ({"train": 3}, 2, 1)
    assert found.left == {module.NO_QUERY: 1, module.NO_LABEL: 1}
    assert found.examples[module.NO_LABEL] == other
    dataset = Dataset.open(out)
    assert set(dataset.images("train")) == {image(name) for name in ("über/shoe 1", "shoe 2", "asked")}
    assert check(out, progress=False).ok
    assert dataset.taxonomy == TAXONOMY
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more", "pictures"]


def test_what_is_left_out_is_told(shop: Shop, tmp_path: Path) -> None:
    shop.put("good", 0)
    shop.put("none")
    shop.put("two", 0, 1)
    shop.put("torn", 1, picture=b"no picture")
    shop.pictures.delete(shop.put("lost", 1))
    shop.put("copy of good", 0, picture=image("good"))
    shop.put("kopy of good", 1, picture=as_bmp(image("good")))
    shop.store.upsert(COLLECTION, [Item("bare", (0,))])
    found = shop.capture(tmp_path / "more", split="extra", unlabelled="bare")
    assert found.images == {"extra": 1, "bare": 1}
    assert found.left == {
        module.NO_PICTURE: 1,
        module.SEVERAL: 1,
        module.UNUSABLE: 2,
        module.TWICE: 1,
        module.TWICE_UNLIKE: 1,
    }
    assert [line for line in module.told(found) if "several" in line] == [
        "left out: 1 have several labels, the split one an image (--several keeps them): 'two'"
    ]
    assert Dataset.open(tmp_path / "more").label_column("bare") is None
    several = shop.capture(tmp_path / "sets", several=True)
    assert several.images == {"train": 2}
    sets = Dataset.open(tmp_path / "sets").item_labels("train")
    assert sorted(sets) == [[0], [0, 1]]


def test_labels_that_the_taxonomy_does_not_have_are_left_out(shop: Shop, tmp_path: Path) -> None:
    grown = replace(TAXONOMY, paths=(("animal", "ant"), *TAXONOMY.paths[1:]))
    shop.put("cat", 0)
    shop.store.grow(COLLECTION, grown)
    shop.put("ant", shop.store.labels(COLLECTION).number_of(("animal", "ant")))
    shop.put("oak", 2)
    found = shop.capture(tmp_path / "more")  # with the labels of before
    assert labelled(tmp_path / "more") == {"cat": 0, "oak": 2}
    assert found.left == {module.UNKNOWN_LABEL: 1}


def test_what_the_data_set_has_is_not_written_twice_and_it_can_be_joined(
    shop: Shop, tiny: Path, tmp_path: Path
) -> None:
    first, second = list(Dataset.open(tiny).images("train"))[:2]
    shop.put("same bytes", 0, picture=first)
    shop.put("same pixels", 0, picture=as_bmp(second))
    shop.put("train/5.png", 1)
    shop.put("new", 2)
    beside = Dataset.open(tiny)
    found = shop.capture(tmp_path / "more", beside=beside)
    assert found.left == {module.IN_DATA: 2, module.OTHER_PICTURE: 1}
    assert labelled(tmp_path / "more") == {"new": 2}
    assert (tmp_path / "more" / "taxonomy.json").read_bytes() == (tiny / "taxonomy.json").read_bytes()
    join(tmp_path / "more", tiny)
    assert labelled(tiny)["new"] == 2
    again = shop.capture(tmp_path / "again", beside=Dataset.open(tiny))
    assert (again.images, again.left[module.IN_DATA]) == ({}, 3)
    assert not (tmp_path / "again").exists()


def as_bmp(data: bytes) -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).save(stream, "BMP")
    return stream.getvalue()


def test_items_of_data_sets_are_not_taken(shop: Shop, tmp_path: Path) -> None:
    shop.put("api", 0)
    shop.store.begin(COLLECTION, GenerationRef("g", 8, TAXONOMY.sha256))
    digest = shop.pictures.put(image("data"))
    shop.store.fill(COLLECTION, "g", [Item("data", (0,), picture=digest)], None)
    shop.capture(tmp_path / "more")
    assert labelled(tmp_path / "more") == {"api": 0}


def test_large_splits_lie_in_shards(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 2 * len(image("0")))
    monkeypatch.setattr(parts_module, "PART_BYTES", 1)
    for name in "abcde":
        shop.put(name, 1)
    shop.capture(tmp_path / "more")
    names = [file.name for file in Dataset.open(tmp_path / "more").files["train"]]
    assert names == [f"train-0000{shard}-of-00003.parquet" for shard in range(3)]
    assert list(labelled(tmp_path / "more")) == list("abcde")


def test_interrupted_it_goes_on_with_what_it_has_read(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [shop.put(name, 1) for name in "abcdef"]
    read: list[str] = []
    get = shop.pictures.get

    def answering(most: int) -> Callable[[str], bytes]:
        def answer(digest: str) -> bytes:
            if len(read) == most:
                raise StoreUnavailableError("no answer")
            read.append(digest)
            return get(digest)

        return answer

    monkeypatch.setattr(module, "_AT_ONCE", 1)
    monkeypatch.setattr(shop.pictures, "get", answering(3))
    with pytest.raises(StoreUnavailableError):
        shop.capture(tmp_path / "more")
    assert [path.name for path in sorted(tmp_path.iterdir())] == [".more.capture", "pictures"]
    monkeypatch.setattr(shop.pictures, "get", answering(6))
    shop.capture(tmp_path / "more")
    assert read == digests
    assert list(labelled(tmp_path / "more")) == list("abcdef")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["more", "pictures"]


def test_what_is_deleted_or_changed_meanwhile_is_not_written(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        shop.put(name, 1)
    asked = shop.ask("asked")
    write = module._write
    calls: list[int] = []

    def while_writing(*given: Any) -> Any:
        written = write(*given)
        calls.append(len(calls))
        if calls == [0]:
            shop.store.delete(COLLECTION, ["a"])
            shop.put("b", 0)
        if calls == [0, 1]:
            shop.queries.forget({asked})
        return written

    monkeypatch.setattr(module, "_write", while_writing)
    found = shop.capture(tmp_path / "more", (asked, 1))
    assert labelled(tmp_path / "more") == {"c": 1, "d": 1}
    assert (found.left, found.items, found.queries, len(calls)) == ({module.GONE: 3}, 2, 0, 3)


def test_deleted_before_an_interrupted_capture_goes_on(shop: Shop, tmp_path: Path) -> None:
    shop.put("a", 1)
    parts = parts_module.Parts(tmp_path / ".more.capture")
    parts.add([parts_module.Picture(digest_of(image(name)), name, image(name)) for name in ("a", "deleted")])
    shop.capture(tmp_path / "more")
    assert labelled(tmp_path / "more") == {"a": 1}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"split": "a b"}, "'a b' is no name of a split: use letters"),
        ({"unlabelled": "train"}, "split 'train' cannot be labelled and unlabelled: name another one"),
        ({"several": True}, "split train of .* has one label an image: name another split"),
        ({"unlabelled": "test"}, "split test of .* has labels: name another one for what has none"),
    ],
)
def test_what_cannot_be_joined_is_refused_before_it_is_read(
    shop: Shop, tiny: Path, tmp_path: Path, wanted: dict[str, Any], said: str
) -> None:
    with pytest.raises(TaxohashError, match=said):
        shop.capture(tmp_path / "more", beside=Dataset.open(tiny), **wanted)


def test_an_existing_folder_is_kept(shop: Shop, tiny: Path) -> None:
    shop.put("a", 0)
    with pytest.raises(TaxohashError, match="exists already: remove it or name another folder"):
        shop.capture(tiny)
