"""Where generations lie for those who serve them: a folder or a prefix of a bucket, each under its id.

    ADDRESS/ID/generation.json      the manifest, put there last: what has none is no generation yet
    ADDRESS/ID/hasher.onnx ...      the files that it names
    ADDRESS/ID/model.sig            its signature, if it has one

    ADDRESS/ID/_removed         the manifest of one whose removal was begun

Which store, or which roll-back, still needs a generation is not known here: `remove` is for those who know.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services import settings
from services.codestore.home import users_data
from services.codestore.keys import check_name
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from taxohash.generation.keys import given
from taxohash.generation.manifest import MANIFEST, Generation
from taxohash.generation.signature import MOST_BYTES, SIGNATURE, read_signature
from taxohash.runtime.atomic import drafting, place, replacing, writable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MANIFEST_BYTES = 64 << 20
_MOST_FILES = 1000
_PROBE = "_probe"  # no id of a generation
_REMOVED = "_removed"
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Listed:
    """A generation that lies there.

    Attributes:
        bytes: of its files.
        written: Unix time at which it was put there; 0 where its removal was begun.
        whole: whether it is there, or its removal is to be finished.
    """

    id: str
    bytes: int
    written: float
    whole: bool


class GenerationFiles:
    """Generations by their ids. Safe to share between threads, not with a forked process.

    Raises (every method):
        StoreUnavailableError: no such bucket, no permission, no space, no answer.
        TaxohashError: a generation is missing or damaged there; the message says what to do.
    """

    def __init__(self, files: Place) -> None:
        """Use `open` or `named`."""
        self._files = files

    @classmethod
    def open(cls, address: str | Path) -> "GenerationFiles":
        """Those at an address, see `Place.open`.

        Raises:
            TaxohashError: it is no address, or there is no such folder. S3 is asked only when it is used.
        """
        return cls(Place.open(address, "generations"))

    @classmethod
    def named(cls, environment: Mapping[str, str] = os.environ) -> "GenerationFiles | None":
        """Those that TAXOHASH_GENERATIONS names, else, where the code store is the user's own, those among the user's data.

        None where neither is: then only those who have a generation at hand can serve it.

        Raises:
            TaxohashError: as `open`, or the folder cannot be made.
        """
        if address := settings.GENERATIONS.of(environment):
            return cls.open(address)
        if settings.REDIS_URL.of(environment):
            return None
        return cls.open(writable(users_data(environment) / "generations"))

    @property
    def address(self) -> str:
        """Where they are, without secrets."""
        return self._files.address

    @property
    def folder(self) -> Path | None:
        """Where they are, if that is a folder of this machine."""
        return Path(self.address) if self._files.is_folder else None

    def put(self, folder: Path) -> None:
        """Put a generation there with its signature, and make sure that it is there. Repeated, it writes what is missing, damaged or signed
        anew.

        Raises:
            TaxohashError: the folder holds no sound generation; or what was written is not what is read.
        """
        generation = Generation.load(folder)
        signature = [] if read_signature(folder) is None else [SIGNATURE]
        for name in [*sorted(generation.files), *signature, MANIFEST]:
            data, there = (folder / name).read_bytes(), f"{generation.id}/{name}"
            if self._files.read(there, len(data) + 1) == data:
                continue
            self._files.write(there, data)
            if self._files.read(there, len(data) + 1) != data:
                raise TaxohashError(
                    f"{self.address}/{there} is not what was written there: look at that place, and put the generation again"
                )

    def require(self, generation_id: str) -> None:
        """Make sure that a generation is there, every byte of it, and signed where keys were given.

        Raises:
            TaxohashError: it is not there, or not whole; with TAXOHASH_VERIFY_KEY also, it is unsigned or wrongly signed.
        """
        manifest = self._manifest(generation_id)
        if (keys := given()) is not None:
            file = Path(f"{self.address}/{generation_id}/{MANIFEST}")
            Generation.parse(manifest, file).require_signed(manifest, self._signature(generation_id), keys)
        for name, sha256 in self._listed(generation_id, manifest).items():
            found = self._files.entry(f"{generation_id}/{name}")
            data = self._files.read(f"{generation_id}/{name}", found.size + 1) if found else None
            if data is None:
                raise self._lacking(generation_id, name)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise TaxohashError(
                    f"{self.address}/{generation_id}/{name} is damaged: put the generation there again"
                )

    def fetch(self, generation_id: str, folder: Path) -> None:
        """Copy a generation into an empty folder, as its manifest lists it, with its signature; what was copied is not checked yet.

        Raises:
            TaxohashError: it is not there, or its manifest is none.
        """
        manifest = self._manifest(generation_id)
        for name in self._listed(generation_id, manifest):
            if not self._files.fetch(f"{generation_id}/{name}", folder / name):
                raise self._lacking(generation_id, name)
        if (signature := self._signature(generation_id)) is not None:
            (folder / SIGNATURE).write_bytes(signature)
        (folder / MANIFEST).write_bytes(manifest)

    def bring(self, generation_id: str, home: Path) -> None:
        """Have a generation in a folder of generations: nothing happens where it is there, or is not here either. Where keys were given,
        a signature that is here takes the place of that which is there: it may have been signed anew.

        Raises:
            TaxohashError: it is here, and damaged; or the folder cannot be written.
        """
        folder = home / generation_id
        if (folder / MANIFEST).is_file():
            if given() is not None and (signature := self._signature(generation_id)) is not None:
                with replacing(folder / SIGNATURE) as draft:
                    draft.write_bytes(signature)
            return
        if not self.has(generation_id):
            return
        with drafting(writable(home)) as draft:
            self.fetch(generation_id, draft)
            Generation.load(draft)
            place(draft, folder)

    def has(self, generation_id: str) -> bool:
        """Whether a generation was put there to its end; `require` tells whether it is whole."""
        return self._files.entry(f"{check_name('generation id', generation_id)}/{MANIFEST}") is not None

    def manifest(self, generation_id: str) -> Generation:
        """What a generation's manifest says; whether its files are as that says is for `require`.

        Raises:
            TaxohashError: it is not there, or is none.
        """
        return Generation.parse(
            self._manifest(generation_id), Path(f"{self.address}/{generation_id}/{MANIFEST}")
        )

    def all(self) -> list[Listed]:
        """All that lie there, in the order of their ids; other files and folders are left out, links too."""
        found = []
        for folder in self._files.entries():
            if folder.is_file or not _ID.fullmatch(folder.name) or self._is_link(folder.name):
                continue
            files = {entry.name: entry for entry in self._files.entries(folder.name) if entry.is_file}
            total = sum(entry.size for entry in files.values())
            if MANIFEST in files:
                found.append(Listed(folder.name, total, files[MANIFEST].written, True))
            elif _REMOVED in files:
                found.append(Listed(folder.name, total, 0.0, False))
        return found

    def remove(self, generation_id: str) -> None:
        """Remove a generation: the manifest first, so that nobody takes what is left for one. Repeated, it is finished.

        Files that the manifest does not name stay.

        Raises:
            TaxohashError: its manifest is none.
        """
        manifest = f"{check_name('generation id', generation_id)}/{MANIFEST}"
        removed = f"{generation_id}/{_REMOVED}"
        if (data := self._files.read(manifest, _MANIFEST_BYTES)) is not None:
            self._listed(generation_id, data)
            self._files.move(manifest, removed)
        elif (data := self._files.read(removed, _MANIFEST_BYTES)) is None:
            return
        for name in self._listed(generation_id, data):
            self._files.remove(f"{generation_id}/{name}")
        self._files.remove(f"{generation_id}/{SIGNATURE}")
        self._files.remove(removed)
        self._files.remove_folder(generation_id)

    def _is_link(self, generation_id: str) -> bool:
        return self.folder is not None and (self.folder / generation_id).is_symlink()

    def dataset_md5(self, generation_id: str) -> str:
        """The data version that a generation was made of, as its manifest says.

        Raises:
            TaxohashError: it is not there, or its manifest does not say.
        """
        try:
            return str(json.loads(self._manifest(generation_id))["dataset_md5"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, TaxohashError):
                raise
            raise TaxohashError(
                f"{self.address}/{generation_id}/{MANIFEST} is no manifest of a generation: put it there again"
            ) from None

    def absent(self, generation_id: str) -> TaxohashError:
        """What is said of one that is not there."""
        return TaxohashError(
            f"generation {generation_id} is not in {self.address}: put it there, or correct {settings.GENERATIONS.name}"
        )

    def require_writable(self) -> None:
        """Make sure that something can be put there."""
        self._files.write(_PROBE, b"")
        self._files.remove(_PROBE)

    def _manifest(self, generation_id: str) -> bytes:
        manifest = self._files.read(
            f"{check_name('generation id', generation_id)}/{MANIFEST}", _MANIFEST_BYTES
        )
        if manifest is None:
            raise self.absent(generation_id)
        return manifest

    def _signature(self, generation_id: str) -> bytes | None:
        """What is read of its signature, one byte more than may be at most; None where there is none, or a folder of that name."""
        name = f"{generation_id}/{SIGNATURE}"
        found = self._files.entry(name)
        return self._files.read(name, MOST_BYTES + 1) if found and found.is_file else None

    def _listed(self, generation_id: str, manifest: bytes) -> dict[str, str]:
        """sha256 of each file by name, of which none leads out of a folder."""
        file = f"{self.address}/{generation_id}/{MANIFEST}"
        try:
            files = dict(json.loads(manifest)["files"].items())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise TaxohashError(f"{file} is no manifest of a generation: put it there again") from None
        if len(files) > _MOST_FILES:
            raise TaxohashError(f"{file} names {len(files):,} files: put it there again")
        for name, sha256 in files.items():
            if not _NAME.fullmatch(name) or name in (MANIFEST, SIGNATURE) or not _is_sha256(sha256):
                raise TaxohashError(f"{file} names the file {name[:60]!r}: put it there again")
        return files

    def _lacking(self, generation_id: str, name: str) -> TaxohashError:
        return TaxohashError(f"generation {generation_id} lacks {name} in {self.address}: put it there again")


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))
