"""A signature covers every byte of a generation: with one changed, added or missing it is refused, and by the format's library too."""

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_signing import hashing, verifying

from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.keys import VERIFY_KEY, Keys
from taxohash.generation.manifest import MANIFEST, Generation
from taxohash.generation.signature import MOST_BYTES, SIGNATURE
from tests.support.generations import make_generation
from tests.support.outcome import answer
from tests.support.own_generation import with_codes
from tests.support.signing import make_key, signed


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_key(tmp_path_factory.mktemp("keys") / "key.pem")


@pytest.fixture(scope="module")
def keys(pair: tuple[Path, Path]) -> Keys:
    return Keys.load(pair[1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]) -> Path:
    return signed(with_codes(tmp_path_factory.mktemp("made") / "generation"), pair[0])


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A signed generation, to be altered."""
    return Path(shutil.copytree(made, tmp_path / "generation"))


def refused(folder: Path, keys: Keys) -> str:
    with pytest.raises(TaxohashError) as raised:
        Generation.load_signed(folder, keys)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


def library_takes(folder: Path, public: Path) -> bool:
    """Whether the library of the format takes a folder with this signature."""
    files = hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
    config = verifying.Config().use_elliptic_key_verifier(public_key=public).set_hashing_config(files)
    try:
        config.verify(folder, folder / SIGNATURE)
    except Exception:  # it raises whatever it meets
        return False
    return True


def test_what_is_signed_is_the_same_generation(made: Path, keys: Keys, pair: tuple[Path, Path]) -> None:
    generation = Generation.load_signed(made, keys)
    assert generation == Generation.load_signed(made, None)
    assert SIGNATURE not in generation.files
    assert generation.write(made).id == generation.id  # sealed anew, too
    assert library_takes(made, pair[1])


def test_it_is_asked_for_where_keys_are_given(
    folder: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VERIFY_KEY, str(pair[1]))
    generation = Hasher(folder).generation
    (folder / SIGNATURE).unlink()
    with pytest.raises(TaxohashError, match=f"{generation.id} is not signed, and keys .* `taxohash sign`"):
        Hasher(folder)
    monkeypatch.setenv(VERIFY_KEY, str(pair[1]) + "-gone")
    with pytest.raises(TaxohashError, match=r"public keys in .* cannot be read"):
        Hasher(folder)
    monkeypatch.delenv(VERIFY_KEY)
    assert Hasher(folder).generation == generation


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_one_byte_changed_anywhere_is_refused(
    made: Path, keys: Keys, tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    name = data.draw(st.sampled_from(sorted(file.name for file in made.iterdir() if file.name != SIGNATURE)))
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (folder / name).write_bytes(content)
    refused(folder, keys)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_signature_with_one_byte_changed_is_refused_or_says_the_same(
    made: Path, keys: Keys, tmp_path: Path, data: st.DataObject
) -> None:
    text = (made / SIGNATURE).read_bytes()
    content = bytearray(text)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    generation, manifest = Generation.load_signed(made, None), (made / MANIFEST).read_bytes()

    def taken() -> bool:
        generation.require_signed(manifest, bytes(content), keys)
        return True

    if answer(taken):  # a byte that nobody signs, such as of the hint which key it was
        assert said(bytes(content)) == said(text)


def said(text: bytes) -> tuple[bytes, bytes]:
    envelope = json.loads(text)["dsseEnvelope"]
    return base64.b64decode(envelope["payload"]), base64.b64decode(envelope["signatures"][0]["sig"])


ALTERED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a file more": (lambda folder: (folder / "more").touch(), '"more", which was not signed: remove that'),
    "a folder more": (lambda folder: (folder / "more").mkdir(), '"more", which was not signed'),
    "a hidden file more": (lambda folder: (folder / ".git").touch(), '".git", which was not signed'),
    "a file less": (lambda folder: (folder / "codes.npy").unlink(), 'lacks "codes.npy"'),
    "a link": (lambda folder: linked(folder / "codes.npy"), '"codes.npy", which was not signed'),
    "no signature": (lambda folder: (folder / SIGNATURE).unlink(), "is not signed"),
    "an empty one": (
        lambda folder: (folder / SIGNATURE).write_bytes(b""),
        "is no signature (not of its form)",
    ),
    "garbage": (lambda folder: (folder / SIGNATURE).write_bytes(os.urandom(99)), "is no signature"),
    "other JSON": (lambda folder: (folder / SIGNATURE).write_text("[]"), "is no signature"),
    "deep JSON": (lambda folder: (folder / SIGNATURE).write_text("[" * 99_999), "is no signature"),
    "a huge one": (
        lambda folder: (folder / SIGNATURE).write_bytes(b" " * (MOST_BYTES + 1)),
        "is no signature (more than 1,048,576 bytes)",
    ),
    "a folder": (lambda folder: emptied(folder / SIGNATURE).mkdir(), "(it is no file): remove it"),
    "a pipe": (lambda folder: os.mkfifo(emptied(folder / SIGNATURE)), "(it is no file): remove it"),
    "a signature elsewhere": (
        lambda folder: linked(folder / SIGNATURE),
        "cannot be read as a file (Too many levels of symbolic links)",
    ),
}


def linked(file: Path) -> None:
    """The same bytes, by a link to where they lie."""
    elsewhere = file.parent.with_name(f"elsewhere-{file.name}")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def emptied(file: Path) -> Path:
    file.unlink()
    return file


@pytest.mark.parametrize("what", ALTERED)
def test_what_is_altered_is_refused_in_one_line(folder: Path, keys: Keys, what: str) -> None:
    alter, told = ALTERED[what]
    alter(folder)
    assert told in refused(folder, keys)


def test_a_signature_that_is_being_written_is_no_file_more(folder: Path, keys: Keys) -> None:
    (folder / f".{SIGNATURE}.abcdefgh.sig").touch()
    Generation.load_signed(folder, keys)


def test_keys_of_which_none_has_signed_refuse_and_one_among_them_does(
    folder: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    _, other = make_key(tmp_path / "other.pem")
    assert f"signed by none of the keys in {other}" in refused(folder, Keys.load(other))
    other.write_bytes(other.read_bytes() + pair[1].read_bytes())
    Generation.load_signed(folder, Keys.load(other))


def test_a_signature_of_another_generation_is_refused(
    folder: Path, keys: Keys, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    make_generation(other, seed=5)
    shutil.copy(signed(other, pair[0]) / SIGNATURE, folder / SIGNATURE)
    assert "has a signature of other files, " in refused(folder, keys)
    assert not library_takes(folder, pair[1])


@pytest.mark.parametrize("hint", ["kept", "other", "absent"])
def test_which_key_signed_is_tried_and_not_believed(
    folder: Path, keys: Keys, tmp_path: Path, pair: tuple[Path, Path], hint: str
) -> None:
    """Of an attacker, who signs with a key of his own and names ours."""
    _, other = make_key(tmp_path / "other.pem")
    bundle = json.loads((folder / SIGNATURE).read_bytes())
    own = bundle["verificationMaterial"]["publicKey"]
    own["hint"] = {"kept": own["hint"], "other": "0" * 64, "absent": None}[hint]
    (folder / SIGNATURE).write_text(json.dumps(bundle))
    Generation.load_signed(folder, keys)
    assert "signed by none" in refused(folder, Keys.load(other))
