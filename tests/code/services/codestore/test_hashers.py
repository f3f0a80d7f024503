"""The hasher of what is published: at hand, in a folder of generations, and from a real S3 server, kept on disk."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.codestore import GenerationRef, StoreUnavailableError
from services.codestore.generation_files import GenerationFiles
from services.codestore.hashers import Hashers, claimed_id
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.keys import VERIFY_KEY
from taxohash.generation.manifest import MANIFEST
from tests.support.generations import SIDE, make_generation
from tests.support.s3 import BUCKET, S3
from tests.support.signing import make_key, signed

ROOT = Path(__file__).parents[4]
PIXELS = np.zeros((1, 1, SIDE, SIDE), np.uint8)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    make_generation(folder)
    return folder


@pytest.fixture
def ref(made: Path) -> GenerationRef:
    return ref_of(made)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def bucket(at_s3: S3, made: Path, tmp_path: Path) -> str:
    """A prefix of a bucket in which the generation is."""
    prefix = f"s3://{BUCKET}/{tmp_path.name}"
    GenerationFiles.open(prefix).put(made)
    return prefix


def ref_of(folder: Path) -> GenerationRef:
    generation = Hasher(folder).generation
    return GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256)


def is_of(hasher: Hasher, folder: Path) -> bool:
    """Whether a hasher is the one in a folder."""
    wanted = Hasher(folder)
    return hasher.generation.id == wanted.generation.id and np.array_equal(
        hasher.encode_pixels(PIXELS), wanted.encode_pixels(PIXELS)
    )


def kept(cache: Path) -> set[str]:
    return {folder.name for folder in cache.iterdir()}


def test_at_hand_it_is_taken_as_it_lies(made: Path, ref: GenerationRef, cache: Path) -> None:
    assert Hashers(made, None, cache).open(ref).folder == made
    assert not cache.exists()


def test_what_is_not_at_hand_and_nowhere_else_is_one_line(
    made: Path, ref: GenerationRef, cache: Path, tmp_path: Path
) -> None:
    other = replace(ref, id="0" * 16)
    with pytest.raises(TaxohashError, match=f"not at hand, only {ref.id} is: set TAXOHASH_GENERATIONS"):
        Hashers(made, None, cache).open(other)
    for nothing in (None, tmp_path / "absent"):
        with pytest.raises(TaxohashError, match="not at hand"):
            Hashers(nothing, None, cache).open(other)


def test_in_a_folder_of_generations_it_is_taken_from_there(
    made: Path, ref: GenerationRef, cache: Path, tmp_path: Path
) -> None:
    GenerationFiles.open(tmp_path / "served").put(made)
    hashers = Hashers(None, str(tmp_path / "served"), cache)
    assert hashers.open(ref).folder == tmp_path / "served" / ref.id
    with pytest.raises(TaxohashError, match="put it there, or correct TAXOHASH_GENERATIONS"):
        hashers.open(replace(ref, id="0" * 16))
    (tmp_path / "served" / ref.id / "hasher.onnx").write_bytes(b"?")
    with pytest.raises(TaxohashError, match="sha256"):
        hashers.open(ref)
    assert not cache.exists()


@pytest.mark.parametrize("wrong", [{"bits": 64}, {"taxonomy_sha256": "0" * 64}])
def test_one_that_is_not_what_the_store_says_is_refused(
    made: Path, ref: GenerationRef, cache: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(TaxohashError, match=r"the code store says .* of generation"):
        Hashers(made, None, cache).open(replace(ref, **wrong))  # type: ignore[arg-type]


def test_a_folder_under_the_id_of_another_is_refused(
    made: Path, ref: GenerationRef, cache: Path, tmp_path: Path
) -> None:
    make_generation(tmp_path / "served" / ref.id, seed=7)
    with pytest.raises(TaxohashError, match=f"the code store says {ref.id}"):
        Hashers(None, str(tmp_path / "served"), cache).open(ref)


def test_from_a_bucket_it_is_kept_on_disk(
    bucket: str, made: Path, ref: GenerationRef, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_of(Hashers(None, bucket, cache).open(ref), made)
    assert kept(cache) == {ref.id}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert is_of(Hashers(None, bucket, cache).open(ref), made)  # the bucket is away, and not needed


@pytest.mark.parametrize("spoil", ["file", "manifest", "lost", "emptied", "id"])
def test_what_is_damaged_on_disk_is_fetched_again(
    bucket: str, made: Path, ref: GenerationRef, cache: Path, spoil: str, tmp_path: Path
) -> None:
    hashers = Hashers(None, bucket, cache)
    hashers.open(ref)
    folder = cache / ref.id
    match spoil:
        case "file":
            (folder / "hasher.onnx").write_bytes(b"?")
        case "manifest":
            told = json.loads((folder / MANIFEST).read_text())
            (folder / MANIFEST).write_text(json.dumps(told | {"network": "another"}))
        case "lost":
            (folder / "hasher.onnx").unlink()
        case "emptied":
            shutil.rmtree(folder)
            folder.mkdir()
        case "id":  # a sound generation, and another one
            shutil.rmtree(folder)
            make_generation(folder, seed=7)
    assert is_of(hashers.open(ref), made)
    assert kept(cache) == {ref.id}


@pytest.mark.parametrize("spoil", ["file", "manifest", "lost", "id", "gone", "hostile"])
def test_what_is_damaged_in_the_bucket_is_refused_and_nothing_of_it_is_kept(
    bucket: str, ref: GenerationRef, cache: Path, spoil: str, tmp_path: Path
) -> None:
    place = Place.open(bucket, "generations")
    manifest = place.read(f"{ref.id}/{MANIFEST}", 1 << 20)
    assert manifest
    match spoil:
        case "file":
            place.write(f"{ref.id}/hasher.onnx", b"?")
        case "manifest":
            place.write(
                f"{ref.id}/{MANIFEST}", json.dumps(json.loads(manifest) | {"network": "other"}).encode()
            )
        case "lost":
            place.remove(f"{ref.id}/hasher.onnx")
        case "gone":
            place.remove(f"{ref.id}/{MANIFEST}")
        case "hostile":
            told = json.loads(manifest) | {"files": {"../../escaped": "0" * 64}}
            place.write(f"{ref.id}/{MANIFEST}", json.dumps(told).encode())
        case "id":
            make_generation(tmp_path / "other", seed=7)
            for file in (tmp_path / "other").iterdir():
                place.write(f"{ref.id}/{file.name}", file.read_bytes())
    with pytest.raises(TaxohashError) as told_of:
        Hashers(None, bucket, cache).open(ref)
    assert "\n" not in str(told_of.value)
    assert kept(cache) == set()
    assert not list(tmp_path.rglob("escaped"))


def test_a_bucket_that_is_away_is_one_line(
    bucket: str, ref: GenerationRef, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashers = Hashers(None, f"{bucket}-none", cache)
    with pytest.raises(TaxohashError, match="is not in s3://"):
        hashers.open(ref)
    with pytest.raises(StoreUnavailableError, match="no such bucket"):
        Hashers(None, "s3://nothing-here/prefix", cache).open(ref)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreUnavailableError, match="start its server, or correct the address"):
        Hashers(None, bucket, cache).open(ref)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert kept(cache) == set()


def test_few_are_kept_the_last_used_among_them(at_s3: S3, cache: Path, tmp_path: Path) -> None:
    prefix = f"s3://{BUCKET}/{tmp_path.name}"
    refs = []
    for seed in range(6):
        make_generation(tmp_path / str(seed), seed=seed)
        GenerationFiles.open(prefix).put(tmp_path / str(seed))
        refs.append(ref_of(tmp_path / str(seed)))
    hashers = Hashers(None, prefix, cache)
    for number, ref in enumerate(refs[:4]):
        hashers.open(ref)
        os.utime(cache / ref.id, (number, number))
    hashers.open(refs[0])  # used again
    hashers.open(refs[4])
    assert kept(cache) == {ref.id for ref in (refs[0], refs[2], refs[3], refs[4])}


def test_what_killed_processes_left_is_removed(bucket: str, ref: GenerationRef, cache: Path) -> None:
    old, young = cache / ".draft-old", cache / ".draft-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    Hashers(None, bucket, cache).open(ref)
    assert kept(cache) == {ref.id, young.name}


FETCH = """
import resource, sys
from pathlib import Path
from services.codestore import GenerationRef
from services.codestore.hashers import Hashers
from taxohash.errors import TaxohashError
if (most := int(sys.argv[6])):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    hasher = Hashers(None, sys.argv[1], Path(sys.argv[2])).open(GenerationRef(sys.argv[3], int(sys.argv[4]), sys.argv[5]))
    print(hasher.generation.id)
except TaxohashError as error:
    print(error)
"""


def fetching(bucket: str, cache: Path, ref: GenerationRef, most: int = 0) -> "subprocess.Popen[str]":
    """A process that loads a generation; no file of its may get longer than `most` bytes."""
    words = [bucket, str(cache), ref.id, str(ref.bits), ref.taxonomy_sha256, str(most)]
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_processes_that_share_a_cache_all_get_it(
    bucket: str, made: Path, ref: GenerationRef, cache: Path
) -> None:
    for spoilt in (False, True):
        if spoilt:
            (cache / ref.id / "hasher.onnx").write_bytes(b"?")
        processes = [fetching(bucket, cache, ref) for _ in range(3)]
        assert {process.communicate(timeout=120)[0].strip() for process in processes} == {ref.id}
        assert kept(cache) == {ref.id}
        assert is_of(Hasher(cache / ref.id), made)


def test_a_full_disk_is_one_line_that_names_the_file(bucket: str, ref: GenerationRef, cache: Path) -> None:
    said = fetching(bucket, cache, ref, most=1000).communicate(timeout=120)[0]
    assert len(said.splitlines()) == 1
    assert str(cache) in said
    assert "free some space" in said
    assert kept(cache) == set()


def test_a_cache_that_cannot_be_made_is_one_line(bucket: str, ref: GenerationRef, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaxohashError, match=r"file.* cannot be written .*: choose a place"):
        Hashers(None, bucket, tmp_path / "file" / "cache").open(ref)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', "[" * 100_000])
def test_what_has_no_id_claims_none(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    assert claimed_id(tmp_path) is None


def test_where_keys_are_given_what_is_signed_is_copied_and_opened_there(
    made: Path, ref: GenerationRef, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody who can write the folder changes a file between its check and its use."""
    (private, public), (other, _) = (make_key(tmp_path / name) for name in ("key.pem", "other.pem"))
    home = tmp_path / "home"
    GenerationFiles.open(home).put(made)
    monkeypatch.setenv(VERIFY_KEY, str(public))
    hashers = Hashers(None, str(home), cache)
    with pytest.raises(TaxohashError, match=f"{ref.id} is not signed"):
        hashers.open(ref)
    assert kept(cache) == set()
    signed(home / ref.id, private)
    (home / ref.id / "notes.txt").touch()  # nobody signed it, and nobody takes it
    opened = hashers.open(ref)
    assert opened.folder == cache / ref.id
    (home / ref.id / "notes.txt").unlink()
    assert is_of(opened, home / ref.id)
    signed(home / ref.id, other)
    assert hashers.open(ref).folder == cache / ref.id  # as it was copied
    public.write_bytes(other.with_suffix(".pub").read_bytes())
    assert hashers.open(ref).folder == cache / ref.id  # copied anew, with the signature of now
    with pytest.raises(TaxohashError, match="is not signed"):
        Hashers(made, None, cache).open(ref)
