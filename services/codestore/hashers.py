"""Where the hasher of a generation is found: at hand, where generations lie, or kept on disk from there.

Where keys were given (TAXOHASH_VERIFY_KEY), only what is signed by one of them is opened; what lies in a folder of generations is then
kept like what lies in a bucket: nobody else writes where it was checked.
"""

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from services import settings
from services.codestore.generation_files import GenerationFiles
from services.codestore.records import GenerationRef
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.keys import given
from taxohash.generation.manifest import MANIFEST
from taxohash.runtime.atomic import drafting, place, writable

_KEPT = 4  # generations on disk
_DRAFT_SECONDS = 3600.0  # after which what a killed process had begun to fetch is removed


class Hashers:
    """The hashers that this process can have. Processes may share a cache."""

    def __init__(self, at_hand: Path | None, generations: str | None, cache: Path) -> None:
        """Prepare to look.

        Args:
            at_hand: folder of a generation, such as the one packed in a Bento.
            generations: where generations lie, each under its id: a folder, or the address of a bucket.
            cache: folder in which those of a bucket are kept.

        Raises:
            TaxohashError: `generations` is no such address, or there is no such folder.
        """
        self._at_hand = at_hand
        self._files = GenerationFiles.open(generations) if generations else None
        self._cache = cache

    def open(self, ref: GenerationRef) -> Hasher:
        """The hasher of a generation, checked against its manifest.

        Raises:
            TaxohashError: it is nowhere, damaged, unsigned where it must be signed, or not what the code store says it is; or the cache
                cannot be written.
            StoreUnavailableError: the bucket does not answer.
        """
        if self._at_hand and claimed_id(self._at_hand) == ref.id:
            return _checked(self._at_hand, ref)
        if self._files is None:
            had = f"only {claimed_id(self._at_hand)} is" if self._at_hand else "none is"
            raise TaxohashError(
                f"generation {ref.id} is not at hand, {had}: set {settings.GENERATIONS.name} to where generations lie"
            )
        if self._files.folder is None or given() is not None:
            return self._kept(self._files, ref)
        if not self._files.has(ref.id):
            raise self._files.absent(ref.id)
        return _checked(self._files.folder / ref.id, ref)

    def _kept(self, files: GenerationFiles, ref: GenerationRef) -> Hasher:
        folder = self._cache / ref.id
        with suppress(TaxohashError):  # not there yet, or damaged: fetched again
            return _used(folder, ref)
        with drafting(writable(self._cache)) as draft:
            files.fetch(ref.id, draft)
            _checked(draft, ref)
            with suppress(TaxohashError):  # another process was first
                place(draft, folder)
        hasher = _used(folder, ref)
        self._forget(ref.id)
        return hasher

    def _forget(self, newest: str) -> None:
        """Remove what was longest not used, and what a killed process left."""
        folders = [folder for folder in self._cache.iterdir() if folder.is_dir()]
        drafts = [folder for folder in folders if folder.name[0] == "."]
        kept = [folder for folder in folders if folder.name[0] != "."]
        kept.sort(key=lambda folder: (folder.name != newest, -_written(folder)))
        old = [draft for draft in drafts if _written(draft) < time.time() - _DRAFT_SECONDS]
        for folder in [*kept[_KEPT:], *old]:
            shutil.rmtree(folder, ignore_errors=True)


def kept_in(cache: str | None) -> Path:
    """Folder for generations that were fetched.

    Args:
        cache: what TAXOHASH_CACHE says.
    """
    home = cache or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "taxohash"
    return Path(home) / "generations"


def claimed_id(folder: Path | None) -> str | None:
    """The id that a folder's manifest says, unchecked; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return str(json.loads(((folder or Path()) / MANIFEST).read_text(encoding="utf-8"))["id"])
    return None


def _used(folder: Path, ref: GenerationRef) -> Hasher:
    """The hasher of a kept generation, which is the one used last from now on."""
    hasher = _checked(folder, ref)
    with suppress(OSError):
        folder.touch()
    return hasher


def _written(folder: Path) -> float:
    """When, in Unix time; 0 where another process has removed it meanwhile."""
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _checked(folder: Path, ref: GenerationRef) -> Hasher:
    hasher = Hasher(folder)
    found = hasher.generation
    for what, own, wanted in (
        ("generation", found.id, ref.id),
        ("code length", found.bits, ref.bits),
        ("taxonomy", found.taxonomy_sha256, ref.taxonomy_sha256),
    ):
        if own != wanted:
            raise TaxohashError(
                f"{folder} has {what} {own}, and the code store says {wanted} of generation {ref.id}: put it there again"
            )
    return hasher
