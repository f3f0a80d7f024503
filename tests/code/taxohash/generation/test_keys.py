"""Public keys from files and folders: those that are there now, and one line about what is none."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from taxohash.errors import TaxohashError
from taxohash.generation.keys import VERIFY_KEY, Keys, given
from tests.support.signing import make_key


def test_keys_are_those_of_a_file_or_of_all_files_of_a_folder(tmp_path: Path) -> None:
    publics = [
        make_key(tmp_path / f"{number}.pem", curve)[1]
        for number, curve in enumerate((ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()))
    ]
    folder = tmp_path / "folder"
    (folder / "..data").mkdir(parents=True)  # as a mounted Secret has
    for public in publics:
        (folder / public.name).symlink_to(public)
    several = tmp_path / "several"
    several.write_bytes(b"old and new\n" + b"".join(public.read_bytes() for public in publics))
    assert Keys.load(several).keys == Keys.load(folder).keys
    assert [key.curve.name for key in Keys.load(several).keys] == ["secp256r1", "secp384r1", "secp521r1"]


def test_what_a_variable_names_is_read_anew(tmp_path: Path) -> None:
    (_, old), (_, new) = (make_key(tmp_path / name) for name in ("old.pem", "new.pem"))
    environment = {VERIFY_KEY: f" {old} "}
    before = given(environment)
    old.write_bytes(new.read_bytes())
    after = given(environment)
    assert before
    assert after
    assert before.keys != after.keys == Keys.load(new).keys
    assert given({VERIFY_KEY: " "}) is given({}) is None


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("nothing", "cannot be read (No such file or directory)"),
        ("empty", "holds no public key"),
        ("empty folder", "holds 0 public keys"),
        ("private", "holds a private key: keep that where signatures are made"),
        ("RSA", "holds what is no key on the curve P-256"),
        ("another curve", "holds what is no key on the curve P-256"),
        ("cut", "holds what is no key on the curve P-256"),
        ("large", "has more than 65,536 bytes"),
        ("pipe", "cannot be read (it is no file)"),
        ("null\0", "cannot be read (embedded null byte)"),
    ],
)
def test_what_is_no_key_is_one_line(tmp_path: Path, what: str, told: str) -> None:
    file = tmp_path / what
    private, public = make_key(tmp_path / "key.pem")
    if what == "empty folder":
        file.mkdir()
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "private":
        file.write_bytes(public.read_bytes() + private.read_bytes())
    elif what in ("RSA", "another curve"):
        key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey = ec.generate_private_key(
            ec.SECP256K1()
        ).public_key()
        if what == "RSA":
            key = rsa.generate_private_key(65537, 2048).public_key()
        file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    elif what == "cut":
        lines = public.read_text().splitlines()
        file.write_text("\n".join([lines[0], lines[1][:-8], lines[-1]]))
    elif what in ("empty", "large"):
        file.write_bytes(b"x" * (100_000 if what == "large" else 0))
    with pytest.raises(TaxohashError) as raised:
        Keys.load(file)
    assert told in str(raised.value)
    assert "name a file of public keys" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
