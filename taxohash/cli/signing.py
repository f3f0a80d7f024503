"""`taxohash sign` and `taxohash verify`."""

from pathlib import Path

from taxohash.errors import TaxohashError
from taxohash.generation.keys import VERIFY_KEY, Keys, given
from taxohash.generation.manifest import Generation
from taxohash.runtime.terminal import printable


def sign(folder: Path, file: Path | None) -> None:
    """Sign a generation with the key of a file, or that of the environment.

    Raises:
        TaxohashError: no key is named; or see `release.signing.sign`.
    """
    from taxohash.release import signing

    if (key := signing.signing_key(file)) is None:
        raise TaxohashError(f"no private key is named: give --key, or set {signing.SIGN_KEY}")
    generation = signing.sign(folder, key)
    print(f"generation {generation.id} in {printable(folder)} is signed")


def verify(folder: Path, source: Path | None) -> None:
    """Say that a generation is signed by one of some keys.

    Raises:
        TaxohashError: no keys are named; or it is not.
    """
    if (keys := given() if source is None else Keys.load(source)) is None:
        raise TaxohashError(f"no public key is named: give --key, or set {VERIFY_KEY}")
    generation = Generation.load_signed(folder, keys)
    print(f"generation {generation.id} in {printable(folder)} is signed by a key in {printable(keys.source)}")
