"""Where the hasher of a generation is found: at hand, where generations lie, or kept on disk from there."""

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

from services.codestore import GenerationRef
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import MANIFEST
from taxohash.runtime.atomic import drafting, place, writable

_KEPT = 4  # generations on disk
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_MANIFEST_BYTES = 64 << 20


class Hashers:
    """The hashers that this process can have."""

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
        self._place = Place.open(generations, "generations") if generations else None
        self._folder = Path(generations) if generations and self._place and self._place.is_folder else None
        self._cache = cache

    def open(self, ref: GenerationRef) -> Hasher:
        """The hasher of a generation, checked against its manifest.

        Raises:
            TaxohashError: it is nowhere, damaged, or not what the code store says it is.
            StoreUnavailableError: the bucket does not answer.
        """
        if self._at_hand and claimed_id(self._at_hand) == ref.id:
            return _checked(self._at_hand, ref)
        if self._folder:
            if not (self._folder / ref.id / MANIFEST).is_file():
                raise TaxohashError(
                    f"generation {ref.id} is not in {self._folder}: put it there, or correct TAXOHASH_GENERATIONS"
                )
            return _checked(self._folder / ref.id, ref)
        if self._place is None:
            had = f"only {claimed_id(self._at_hand)} is" if self._at_hand else "none is"
            raise TaxohashError(
                f"generation {ref.id} is not at hand, {had}: set TAXOHASH_GENERATIONS to where generations lie"
            )
        return self._kept(self._place, ref)

    def _kept(self, generations: Place, ref: GenerationRef) -> Hasher:
        folder = self._cache / ref.id
        if folder.is_dir():
            with suppress(TaxohashError):  # damaged: fetched again
                hasher = _checked(folder, ref)
                folder.touch()
                return hasher
        with drafting(writable(self._cache)) as draft:
            _fetch(generations, ref.id, draft)
            _checked(draft, ref)
            place(draft, folder)
        self._forget_old(ref.id)
        return _checked(folder, ref)

    def _forget_old(self, newest: str) -> None:
        others = [folder for folder in self._cache.iterdir() if folder.is_dir() and folder.name[0] != "."]
        others.sort(key=lambda folder: (folder.name != newest, -folder.stat().st_mtime))
        for folder in others[_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)


def claimed_id(folder: Path | None) -> str | None:
    """The id that a folder's manifest says, unchecked; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(((folder or Path()) / MANIFEST).read_text(encoding="utf-8"))["id"])
    return None


def _fetch(generations: Place, generation_id: str, draft: Path) -> None:
    """Copy a generation, as its manifest lists it."""
    address = f"{generations.address}/{generation_id}"
    manifest = generations.read(f"{generation_id}/{MANIFEST}", _MANIFEST_BYTES)
    if manifest is None:
        raise TaxohashError(
            f"generation {generation_id} is not in {generations.address}: put it there, or correct TAXOHASH_GENERATIONS"
        )
    try:
        names = list(json.loads(manifest)["files"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise TaxohashError(
            f"{address}/{MANIFEST} is no manifest of a generation: put it there again"
        ) from None
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TaxohashError(f"{address}/{MANIFEST} names the file {str(name)[:60]!r}: put it there again")
        if not generations.fetch(f"{generation_id}/{name}", draft / name):
            raise TaxohashError(
                f"generation {generation_id} lacks {name} in {generations.address}: put it there again"
            )
    (draft / MANIFEST).write_bytes(manifest)


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
