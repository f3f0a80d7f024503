"""Signing: once for a key, whole or not at all, and with keys that can be used."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from taxohash.errors import TaxohashError
from taxohash.generation.keys import Keys
from taxohash.generation.signature import SIGNATURE
from taxohash.release import signing
from taxohash.release.signing import SigningKey, is_signed, sign, signing_key
from tests.support.generations import make_generation
from tests.support.signing import make_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_generation(tmp_path / "generation")
    return tmp_path / "generation"


def test_it_is_signed_once_and_another_key_takes_its_place(folder: Path, tmp_path: Path) -> None:
    (first, of_first), (second, of_second) = (make_key(tmp_path / name) for name in ("1.pem", "2.pem"))
    generation = sign(folder, SigningKey.load(first))
    text = (folder / SIGNATURE).read_bytes()
    assert stat.S_IMODE((folder / SIGNATURE).stat().st_mode) == 0o644
    assert sign(folder, SigningKey.load(first)) == generation
    assert (folder / SIGNATURE).read_bytes() == text
    sign(folder, SigningKey.load(second))
    assert is_signed(folder, Keys.load(of_second))
    assert not is_signed(folder, Keys.load(of_first))
    assert {file.name for file in folder.iterdir()} == {*generation.files, "generation.json", SIGNATURE}


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_other_curves_sign_too(folder: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    private, public = make_key(tmp_path / "key.pem", curve)
    sign(folder, SigningKey.load(private))
    assert is_signed(folder, Keys.load(public))


def test_what_is_not_sound_or_more_than_a_generation_is_not_signed(folder: Path, tmp_path: Path) -> None:
    key = SigningKey.load(make_key(tmp_path / "key.pem")[0])
    (folder / "notes.txt").touch()
    with pytest.raises(TaxohashError, match=r"notes\.txt is no file of generation .*: remove it"):
        sign(folder, key)
    (folder / "notes.txt").unlink()
    (folder / "taxonomy.json").write_text("{}")
    with pytest.raises(TaxohashError, match="has sha256"):
        sign(folder, key)
    assert not (folder / SIGNATURE).exists()


def test_a_signature_that_cannot_be_verified_is_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, _ = make_key(tmp_path / "key.pem")
    key = SigningKey.load(private)
    make_key(private)  # the file is another key by now
    with pytest.raises(TaxohashError, match="signed by none of the keys"):
        sign(folder, key)
    monkeypatch.setattr(signing, "_signature", lambda folder, key: b"{}")
    with pytest.raises(TaxohashError, match="is no signature"):
        sign(folder, key)
    assert not (folder / SIGNATURE).exists()


def test_an_encrypted_key_is_opened_by_the_environment(folder: Path, tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "key.pem", passphrase=b"sesame")
    file = tmp_path / "passphrase"
    file.write_text("sesame\n")
    by_file = {"TAXOHASH_SIGN_KEY": str(private), "TAXOHASH_SIGN_PASSPHRASE_FILE": str(file)}
    by_text = {"TAXOHASH_SIGN_KEY": str(private), "TAXOHASH_SIGN_PASSPHRASE": "sesame"}
    for environment in (by_file, by_text):
        key = signing_key(None, environment)
        assert key
        assert "sesame" not in repr(key)
        sign(folder, key)
    assert is_signed(folder, Keys.load(public))
    assert signing_key(None, {"TAXOHASH_SIGN_KEY": " "}) is None
    with pytest.raises(TaxohashError, match="is encrypted: set TAXOHASH_SIGN_PASSPHRASE"):
        signing_key(private, {})
    with pytest.raises(TaxohashError, match="or is opened by another passphrase"):
        signing_key(private, {"TAXOHASH_SIGN_PASSPHRASE": "other"})
    with pytest.raises(TaxohashError, match="TAXOHASH_SIGN_PASSPHRASE_FILE is /none, which cannot be read"):
        signing_key(private, {"TAXOHASH_SIGN_PASSPHRASE_FILE": "/none"})
    with pytest.raises(TaxohashError, match="is not encrypted: do not set"):
        signing_key(make_key(tmp_path / "plain.pem")[0], by_text)


def test_a_key_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "key.pem")
    other, _ = make_key(tmp_path / "other.pem", ec.SECP256K1())
    for file, told in (
        (tmp_path / "none", "cannot be read"),
        (tmp_path, "it is no file"),
        (public, "holds no private key"),
        (other, "holds no key on the curve P-256"),
    ):
        with pytest.raises(TaxohashError, match=told) as raised:
            SigningKey.load(file)
        assert "`openssl ecparam" in str(raised.value)
    assert SigningKey.load(private).public.keys == Keys.load(public).keys


def test_a_key_that_everybody_can_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private, _ = make_key(tmp_path / "key.pem")
    SigningKey.load(private)
    assert capsys.readouterr().err == ""
    private.chmod(0o644)
    SigningKey.load(private)
    assert "chmod 600 it" in capsys.readouterr().err
