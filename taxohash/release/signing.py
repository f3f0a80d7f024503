"""Signing a generation with a private key from a file, by the library of OpenSSF Model Signing. No network."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taxohash.errors import TaxohashError
from taxohash.generation.keys import CURVES, Keys, key_file
from taxohash.generation.manifest import MANIFEST, Generation
from taxohash.generation.signature import SIGNATURE, unsigned_names
from taxohash.runtime.atomic import replacing
from taxohash.runtime.progress import announce

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SIGN_KEY = "TAXOHASH_SIGN_KEY"
PASSPHRASE, PASSPHRASE_FILE = "TAXOHASH_SIGN_PASSPHRASE", "TAXOHASH_SIGN_PASSPHRASE_FILE"
_REMEDY = "name a file with one, as `openssl ecparam -name prime256v1 -genkey -noout` writes"


@dataclass(frozen=True)
class SigningKey:
    """A private key that can be used.

    Attributes:
        file: where it lies.
        passphrase: that opens it; None where it is not encrypted.
    """

    file: Path
    passphrase: bytes | None = field(repr=False)
    key: "EllipticCurvePrivateKey" = field(repr=False)

    @classmethod
    def load(cls, file: str | Path, passphrase: bytes | None = None) -> "SigningKey":
        """The key of a file. One that others can read is taken with a warning.

        Raises:
            TaxohashError: no such key, on none of the curves P-256, P-384 and P-521, or another passphrase.
        """
        return cls(Path(file), passphrase, _key(Path(file), passphrase))

    @property
    def public(self) -> Keys:
        """What its signatures are checked by."""
        return Keys(f"the public half of {self.file}", (self.key.public_key(),))


def signing_key(
    file: str | Path | None = None, environment: Mapping[str, str] = os.environ
) -> SigningKey | None:
    """The key of a file, else that which TAXOHASH_SIGN_KEY names; None where none is named. Its passphrase, if it has one, is in
    TAXOHASH_SIGN_PASSPHRASE, or in the file that TAXOHASH_SIGN_PASSPHRASE_FILE names.

    Raises:
        TaxohashError: see `SigningKey.load`; or the file of the passphrase cannot be read.
    """
    named = file or environment.get(SIGN_KEY, "").strip()
    return SigningKey.load(named, _passphrase(environment)) if named else None


def sign(folder: str | Path, key: SigningKey) -> Generation:
    """Sign the generation in a folder. Repeated with the same key, it changes nothing; with another, that one's signature takes the
    place of the one before.

    Raises:
        TaxohashError: no sound generation, files that are none of it, or a folder that cannot be written.
    """
    folder = Path(folder)
    generation = Generation.load_signed(folder, None)
    for name in unsigned_names(folder, (*generation.files, MANIFEST)):
        raise TaxohashError(
            f"{folder / name} is no file of generation {generation.id}: remove it before that is signed"
        )
    if not is_signed(folder, key.public):
        text = _signature(folder, key)
        # What cannot be verified is told here, not where it is served.
        generation.require_signed((folder / MANIFEST).read_bytes(), text, key.public)
        with replacing(folder / SIGNATURE) as draft:
            draft.write_bytes(text)
    return generation


def is_signed(folder: Path, keys: Keys) -> bool:
    """Whether a sound generation lies in a folder, signed by one of these keys."""
    try:
        Generation.load_signed(folder, keys)
    except TaxohashError:
        return False
    return True


def _signature(folder: Path, key: SigningKey) -> bytes:
    from model_signing import hashing, signing

    files = hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
    signer = signing.Config().set_hashing_config(files)
    # The library says text of a passphrase, and hands it to where only bytes are taken.
    signer.use_elliptic_key_signer(private_key=key.file, password=key.passphrase)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as beside:
        signer.sign(folder.resolve(), Path(beside) / SIGNATURE)
        return (Path(beside) / SIGNATURE).read_bytes()


def _key(file: Path, passphrase: bytes | None) -> "EllipticCurvePrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data, mode = key_file(file, "private key", _REMEDY)
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError:  # it is encrypted and no passphrase is given, or the reverse
        wanted = "set" if passphrase is None else "do not set"
        state = "is" if passphrase is None else "is not"
        raise TaxohashError(f"the private key in {file} {state} encrypted: {wanted} {PASSPHRASE}") from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "" if passphrase is None else ", or is opened by another passphrase"
        raise TaxohashError(f"{file} holds no private key (PEM){wrong}: {_REMEDY}") from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise TaxohashError(f"{file} holds no key on the curve P-256, P-384 or P-521: {_REMEDY}")
    if mode & 0o007:
        announce(f"warning: everybody on this machine can use the private key {file}: chmod 600 it")
    return key


def _passphrase(environment: Mapping[str, str]) -> bytes | None:
    if said := environment.get(PASSPHRASE, "").strip():
        return said.encode()
    if not (file := environment.get(PASSPHRASE_FILE, "").strip()):
        return None
    try:
        return Path(file).read_bytes().strip() or None
    except (OSError, ValueError):
        raise TaxohashError(
            f"{PASSPHRASE_FILE} is {file}, which cannot be read: name a file with the passphrase"
        ) from None
