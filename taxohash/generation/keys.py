"""Public keys of those who may sign generations, from files. A file holds one or several (PEM), a folder one file for each."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxohash.errors import TaxohashError
from taxohash.runtime.small_files import read_small

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

VERIFY_KEY = "TAXOHASH_VERIFY_KEY"
CURVES = {
    "secp256r1": 256,
    "secp384r1": 384,
    "secp521r1": 512,
}  # and the bits of the SHA-2 that goes with each
_MOST_BYTES = 64 << 10  # of a file
_MOST_KEYS = 100
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_WHAT = "public keys in"
_REMEDY = (
    "name a file of public keys (PEM, EC), such as `openssl ec -pubout` writes, or a folder of such files"
)


@dataclass(frozen=True)
class Keys:
    """Keys of which any may have signed.

    Attributes:
        source: file or folder that they are from, for messages.
    """

    source: str
    keys: tuple["EllipticCurvePublicKey", ...]

    @classmethod
    def load(cls, source: str | Path) -> "Keys":
        """The keys of a file, or of all files of a folder whose names do not begin with a dot.

        Raises:
            TaxohashError: it cannot be read, or something in it is no public key on one of the curves P-256, P-384 and P-521.
        """
        found = tuple(key for file in _files(Path(source)) for key in _keys(file))
        if not 0 < len(found) <= _MOST_KEYS:
            raise TaxohashError(f"{source} holds {len(found)} public keys: {_REMEDY}")
        return cls(str(source), found)


def given(environment: Mapping[str, str] = os.environ) -> Keys | None:
    """Those that TAXOHASH_VERIFY_KEY names, as they are now; None where it is not set.

    Raises:
        TaxohashError: see `Keys.load`.
    """
    source = environment.get(VERIFY_KEY, "").strip()
    return Keys.load(source) if source else None


def key_file(file: Path, what: str, remedy: str) -> tuple[bytes, int]:
    """The bytes of a small file, and its mode.

    Args:
        what, remedy: for messages.

    Raises:
        TaxohashError: it cannot be read, or has more than 64 KiB.
    """
    try:
        data, mode = read_small(file, _MOST_BYTES)
    except (OSError, ValueError) as error:  # a path with a null byte is no value
        raise unreadable(file, what, remedy, error) from None
    if len(data) > _MOST_BYTES:
        raise TaxohashError(f"{what} {file} has more than {_MOST_BYTES:,} bytes: {remedy}")
    return data, mode


def unreadable(file: Path, what: str, remedy: str, error: Exception) -> TaxohashError:
    """What is said of a file or folder that cannot be read."""
    reason = getattr(error, "strerror", None) or error
    return TaxohashError(f"{what} {str(file)!r} cannot be read ({reason}): {remedy}")


def _files(source: Path) -> list[Path]:
    try:
        if not source.is_dir():
            return [source]
        # A mounted Secret has folders of such names.
        return sorted(file for file in source.iterdir() if file.name[0] != ".")
    except (OSError, ValueError) as error:
        raise unreadable(source, _WHAT, _REMEDY, error) from None


def _keys(file: Path) -> list["EllipticCurvePublicKey"]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    found = []
    for block in _BLOCK.finditer(key_file(file, _WHAT, _REMEDY)[0]):
        if b"PRIVATE" in block[1]:
            raise TaxohashError(
                f"{file} holds a private key: keep that where signatures are made, and {_REMEDY}"
            )
        try:
            key = load_pem_public_key(block[0])
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in CURVES:
            raise TaxohashError(f"{file} holds what is no key on the curve P-256, P-384 or P-521: {_REMEDY}")
        found.append(key)
    if not found:
        raise TaxohashError(f"{file} holds no public key: {_REMEDY}")
    return found
