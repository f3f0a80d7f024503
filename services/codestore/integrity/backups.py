"""Backups of a collection beside each other, each named by the time at which it was begun: the newest, how old it is, which make way.

ROOT/COLLECTION-20260131T021700Z/manifest.json, ...    see `backup_files`; one without a manifest was cut short
"""

import re
import time
from pathlib import Path

from services.codestore.places import Place
from taxohash.errors import TaxohashError

_TIME = "%Y%m%dT%H%M%SZ"
_MANIFEST = "manifest.json"


def dated(root: str | Path, collection: str, now: float | None = None) -> str:
    """Address of a backup that is begun now (Unix time)."""
    name = f"{collection}-{time.strftime(_TIME, time.gmtime(now))}"
    return f"{str(root).rstrip('/')}/{name}"


def backups(root: str | Path, collection: str) -> list[str]:
    """Names of the complete backups of a collection, oldest first.

    Raises:
        TaxohashError: there is no such place.
        StoreUnavailableError: it does not answer.
    """
    place = Place.open(root, "backups")
    return [name for name in _names(place, collection) if place.entry(f"{name}/{_MANIFEST}")]


def newest(root: str | Path, collection: str) -> str:
    """Address of the newest complete backup of a collection.

    Raises:
        TaxohashError: there is none.
        StoreUnavailableError: the place does not answer.
    """
    found = backups(root, collection)
    if not found:
        raise TaxohashError(
            f"there is no backup of collection {collection!r} in {root}: name another place, or back up first"
        )
    return f"{str(root).rstrip('/')}/{found[-1]}"


def make_way(root: str | Path, collection: str, keep: int) -> list[str]:
    """Remove all but the newest complete backups of a collection, and what older ones that were cut short left.

    Args:
        keep: how many stay, at least 1.

    Returns:
        Names of what was removed.

    Raises:
        TaxohashError: it would keep none.
        StoreUnavailableError: the place does not answer.
    """
    if keep < 1:
        raise TaxohashError(f"{keep} backups cannot be kept: keep 1 at least")
    place, complete = Place.open(root, "backups"), backups(root, collection)
    stay = complete[-keep:]
    gone = [name for name in _names(place, collection) if stay and name < stay[-1] and name not in stay]
    for name in gone:
        place.remove(f"{name}/{_MANIFEST}")  # first, so that what is half removed is no backup
        _remove(place, name)
    return gone


def _names(place: Place, collection: str) -> list[str]:
    form = re.compile(rf"{re.escape(collection)}-\d{{8}}T\d{{6}}Z")
    return [entry.name for entry in place.entries() if not entry.is_file and form.fullmatch(entry.name)]


def _remove(place: Place, folder: str) -> None:
    for entry in place.entries(folder):
        name = f"{folder}/{entry.name}"
        if entry.is_file:
            place.remove(name)
        else:
            _remove(place, name)
    place.remove_folder(folder)
