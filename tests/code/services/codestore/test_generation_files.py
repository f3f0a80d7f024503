"""Generations where services find them: in a folder, in memory, and on a real S3 server."""

import itertools
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from services.codestore.connection import StoreUnavailableError
from services.codestore.generation_files import GenerationFiles
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from taxohash.generation.keys import VERIFY_KEY
from taxohash.generation.manifest import MANIFEST, Generation
from taxohash.generation.signature import SIGNATURE
from tests.support.generations import make_generation
from tests.support.s3 import BUCKET, S3
from tests.support.signing import make_key, signed

PREFIXES = (f"generations{number}" for number in itertools.count())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    make_generation(folder)
    return folder


class Recorded(Place):
    """A place that says what is written, and fails before the write of a number."""

    written: list[str]
    fails_at: int

    def write(self, name: str, data: bytes) -> None:
        if len(self.written) == self.fails_at:
            raise StoreUnavailableError("the bucket is away")
        self.written.append(name.partition("/")[2])
        super().write(name, data)


@pytest.fixture
def recorded(address: str) -> Recorded:
    place: Any = Recorded.open(address, "generations")
    place.written, place.fails_at = [], 1000
    found: Recorded = place
    return found


def test_put_it_is_there_and_comes_back(address: str, made: Path, tmp_path: Path) -> None:
    files, generation = GenerationFiles.open(address), Generation.load(made)
    assert not files.has(generation.id)
    files.put(made)
    assert files.has(generation.id)
    files.require(generation.id)
    files.bring(generation.id, tmp_path / "home")
    assert Generation.load(tmp_path / "home" / generation.id) == generation
    assert [entry.name for entry in (tmp_path / "home").iterdir()] == [generation.id]


def test_the_manifest_comes_last_and_what_was_cut_short_goes_on(recorded: Recorded, made: Path) -> None:
    files, generation = GenerationFiles(recorded), Generation.load(made)
    names = [*sorted(generation.files), MANIFEST]
    for done in range(len(names)):
        recorded.fails_at = done
        with pytest.raises(StoreUnavailableError):
            files.put(made)
        assert not files.has(generation.id)
        with pytest.raises(TaxohashError, match=r"is not in .* put it there"):
            files.require(generation.id)
        recorded.fails_at = done + 1
        with pytest.raises(StoreUnavailableError) if done + 1 < len(names) else nullcontext():
            files.put(made)
        assert recorded.written == names[: done + 1]
    recorded.fails_at = 1000
    files.put(made)
    assert recorded.written == names  # nothing that is there is written again
    files.require(generation.id)


@pytest.mark.parametrize("spoil", ["missing", "damaged", "shorter"])
def test_what_lacks_or_is_damaged_is_found_and_mended(address: str, made: Path, spoil: str) -> None:
    files, place = GenerationFiles.open(address), Place.open(address, "generations")
    generation = Generation.load(made)
    files.put(made)
    name = f"{generation.id}/hasher.onnx"
    data = place.read(name, 1 << 20)
    assert data
    place.remove(name)
    if spoil != "missing":
        place.write(name, data[:-1] + (b"?" if spoil == "damaged" else b""))
    with pytest.raises(TaxohashError, match=r"lacks hasher\.onnx|hasher\.onnx is damaged"):
        files.require(generation.id)
    files.put(made)
    files.require(generation.id)


def test_what_is_read_otherwise_than_it_was_written_is_told(made: Path, tmp_path: Path) -> None:
    class Forgetful(Place):
        def write(self, name: str, data: bytes) -> None:
            super().write(name, data[:-1])

    with pytest.raises(TaxohashError, match="is not what was written there"):
        GenerationFiles(Forgetful.open(tmp_path / "served", "generations")).put(made)
    assert not list((tmp_path / "served").rglob(MANIFEST))


def names_a_file(name: object) -> Callable[[dict[str, Any]], Any]:
    return lambda manifest: manifest | {"files": {name: "0" * 64}}


@pytest.mark.parametrize(
    "edit",
    [
        *(names_a_file(name) for name in ("../x", "/etc/passwd", "a/b", "..", "", ".x", "a\0b", "x" * 300, MANIFEST)),
        lambda manifest: manifest | {"files": {"a": "short"}},
        lambda manifest: manifest | {"files": {"a": 1}},
        lambda manifest: manifest | {"files": ["a"]},
        lambda manifest: manifest | {"files": {f"a{n}": "0" * 64 for n in range(2000)}},
        lambda manifest: [manifest],
        lambda manifest: {},
    ],
)  # fmt: skip
def test_a_hostile_manifest_leads_nowhere(
    made: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], Any]
) -> None:
    files, generation = GenerationFiles.open(tmp_path / "served"), Generation.load(made)
    files.put(made)
    manifest = tmp_path / "served" / generation.id / MANIFEST
    manifest.write_text(json.dumps(edit(json.loads(manifest.read_text()))))
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    with pytest.raises(TaxohashError, match="put it there again"):
        files.require(generation.id)
    with pytest.raises(TaxohashError, match="put it there again") as told:
        files.fetch(generation.id, out)
    assert "\n" not in str(told.value)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("generation_id", ["..", "a/b", "", "/", "x" * 300, "a\0"])
def test_what_is_no_id_is_refused(tmp_path: Path, generation_id: str) -> None:
    files = GenerationFiles.open(tmp_path)
    for call in (files.has, files.require, lambda name: files.bring(name, tmp_path / "home")):
        with pytest.raises(TaxohashError, match="generation id"):
            call(generation_id)


def test_a_damaged_one_is_not_brought(made: Path, tmp_path: Path) -> None:
    files, generation = GenerationFiles.open(tmp_path / "served"), Generation.load(made)
    files.put(made)
    (tmp_path / "served" / generation.id / "hasher.onnx").write_bytes(b"?")
    with pytest.raises(TaxohashError, match="sha256"):
        files.bring(generation.id, tmp_path / "home")
    assert list((tmp_path / "home").iterdir()) == []
    files.bring("0" * 16, tmp_path / "home")  # neither here nor there: nothing happens


def test_an_account_that_only_reads_puts_nothing(
    at_s3: S3, monkeypatch: pytest.MonkeyPatch, made: Path
) -> None:
    prefix, generation = f"s3://{BUCKET}/{next(PREFIXES)}", Generation.load(made)
    GenerationFiles.open(prefix).put(made)
    for name, value in at_s3.environment(at_s3.reader).items():
        monkeypatch.setenv(name, value)
    files = GenerationFiles.open(prefix)
    files.require(generation.id)
    files.put(made)  # it is there
    with pytest.raises(StoreUnavailableError, match="account that may read and write"):
        files.require_writable()


def test_where_they_are_if_no_place_is_named(tmp_path: Path) -> None:
    home = {"XDG_DATA_HOME": str(tmp_path)}
    store = {"TAXOHASH_REDIS_URL": "redis://elsewhere"}
    assert GenerationFiles.named(home | store) is None
    files = GenerationFiles.named(home)
    assert files
    assert files.folder == tmp_path / "taxohash" / "generations"
    named = GenerationFiles.named(store | {"TAXOHASH_GENERATIONS": "s3://bucket/a"})
    assert named
    assert (named.address, named.folder) == ("s3://bucket/a", None)
    with pytest.raises(TaxohashError, match="is no address of generations"):
        GenerationFiles.named({"TAXOHASH_GENERATIONS": "ftp://bucket"})


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    GenerationFiles.open(tmp_path).require_writable()
    assert list(tmp_path.iterdir()) == []


def test_it_tells_of_which_data_a_generation_was_made(made: Path, tmp_path: Path) -> None:
    files = GenerationFiles.open(tmp_path / "kept")
    generation = Generation.load(made)
    files.put(made)
    assert files.dataset_md5(generation.id) == generation.dataset_md5
    with pytest.raises(TaxohashError, match="is not in"):
        files.dataset_md5("0123456789abcdef")
    (tmp_path / "kept" / generation.id / MANIFEST).write_text("[]")
    with pytest.raises(TaxohashError, match="is no manifest"):
        files.dataset_md5(generation.id)


class Ended(Place):
    """A place whose user ends before the change of a number."""

    left: int

    def move(self, name: str, to: str) -> None:
        self._count()
        super().move(name, to)

    def remove(self, name: str) -> None:
        self._count()
        super().remove(name)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_removed_nothing_of_it_is_left_and_others_stay(address: str, made: Path, tmp_path: Path) -> None:
    files, generation = GenerationFiles.open(address), Generation.load(made)
    assert files.all() == []
    other = make_generation(tmp_path / "other", seed=1)
    for folder in (made, tmp_path / "other"):
        files.put(folder)
    Place.open(address, "generations").write("_runs/a-run.json", b"{}")
    listed = files.all()
    assert [found.id for found in listed] == sorted([generation.id, other.id])
    assert all(found.whole and found.written > 0 for found in listed)
    sizes = {found.id: found.bytes for found in listed}
    assert sizes[generation.id] == sum(file.stat().st_size for file in made.iterdir())
    files.remove(generation.id)
    files.remove(generation.id)
    files.remove("0" * 16)
    assert [found.id for found in files.all()] == [other.id]
    assert Place.open(address, "generations").entries(generation.id) == []
    files.require(other.id)
    files.put(made)
    files.require(generation.id)


def test_a_removal_that_was_cut_short_leaves_no_half_and_is_finished(
    address: str, made: Path, tmp_path: Path
) -> None:
    generation = Generation.load(made)
    place: Any = Ended.open(address, "generations")
    files = GenerationFiles(place)
    for left in range(len(generation.files) + 2):
        place.left = 1000
        files.put(made)
        place.left = left
        with pytest.raises(KeyboardInterrupt):
            files.remove(generation.id)
        place.left = 1000
        (found,) = files.all()
        assert files.has(generation.id) == found.whole == (found.written > 0)
        assert found.whole == (left < (1 if files.folder else 2))  # a bucket copies before it removes
        if found.whole:
            files.require(generation.id)
    files.remove(generation.id)
    assert files.all() == []


def test_what_the_manifest_does_not_name_stays(made: Path, tmp_path: Path) -> None:
    files, generation = GenerationFiles.open(tmp_path / "served"), Generation.load(made)
    files.put(made)
    folder = tmp_path / "served" / generation.id
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "served" / ("f" * 16)).symlink_to(made)
    assert [found.id for found in files.all()] == [generation.id]  # a link is nobody's generation
    files.remove(generation.id)
    assert [entry.name for entry in folder.iterdir()] == ["notes.txt"]
    assert files.all() == []


def test_one_whose_manifest_is_none_is_not_removed(made: Path, tmp_path: Path) -> None:
    files, generation = GenerationFiles.open(tmp_path / "served"), Generation.load(made)
    files.put(made)
    manifest = tmp_path / "served" / generation.id / MANIFEST
    manifest.write_text(json.dumps({"files": {"../../made/hasher.onnx": "0" * 64}}))
    with pytest.raises(TaxohashError, match="put it there again"):
        files.remove(generation.id)
    assert manifest.exists()
    assert (made / "hasher.onnx").exists()


def test_a_signature_travels_before_the_manifest_and_goes_with_it(
    recorded: Recorded, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old, _), (new, public) = (make_key(tmp_path / name) for name in ("old.pem", "new.pem"))
    files, generation = GenerationFiles(recorded), Generation.load(signed(made, old))
    home = tmp_path / "home"
    files.put(made)
    assert recorded.written == [*sorted(generation.files), SIGNATURE, MANIFEST]
    files.bring(generation.id, home)
    assert (home / generation.id / SIGNATURE).read_bytes() == (made / SIGNATURE).read_bytes()
    monkeypatch.setenv(VERIFY_KEY, str(public))
    with pytest.raises(TaxohashError, match="signed by none of the keys"):
        files.require(generation.id)  # what no service would load is not published
    signed(made, new)
    files.put(made)
    assert recorded.written[-1] == SIGNATURE
    files.require(generation.id)
    files.bring(generation.id, home)  # where it is with the signature before
    assert Generation.load(home / generation.id) == generation
    files.remove(generation.id)
    assert recorded.entries(generation.id) == []


def test_an_unsigned_one_is_neither_required_nor_brought_where_keys_are_given(
    address: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, generation = GenerationFiles.open(address), Generation.load(made)
    files.put(made)
    monkeypatch.setenv(VERIFY_KEY, str(make_key(tmp_path / "key.pem")[1]))
    attempts: tuple[Callable[[], None], ...] = (
        lambda: files.require(generation.id),
        lambda: files.bring(generation.id, tmp_path / "home"),
        lambda: files.put(made),
    )
    for attempt in attempts:
        with pytest.raises(TaxohashError, match=f"{generation.id} is not signed"):
            attempt()
    assert not (tmp_path / "home" / generation.id).exists()
