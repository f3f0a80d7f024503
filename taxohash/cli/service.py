"""A client as commands have it: the key comes from the environment or a file, never from the command line."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from taxohash.client import Client
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable

KEY, KEY_FILE = "TAXOHASH_API_KEY", "TAXOHASH_API_KEY_FILE"


def client_of(url: str) -> Client:
    """A client of the service at this address.

    Raises:
        TaxohashError: no address, no key, or a file of the key that cannot be read.
    """
    return Client(url, _key())


def tell_refused(refused: Iterable[tuple[str, str]]) -> bool:
    """A line on standard error for each thing that was refused: its name and why. Whether there was any."""
    any_ = False
    for name, sentence in refused:
        any_ = True
        print(f"taxohash: {printable(name)}: {printable(sentence)}", file=sys.stderr)
    return any_


def _key() -> str | None:
    if key := os.environ.get(KEY, "").strip():
        return key
    if not (file := os.environ.get(KEY_FILE)):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        raise TaxohashError(f"{KEY_FILE} is {file}, which cannot be read: name a file with the key") from None
