"""A generation: a hasher and the codes it made, tied together by one manifest (no torch here).

A generation is a folder; `generation.json` names every other file of it by its sha256, and its `id` is a
hash of the manifest itself. Codes at rest, queries and answers carry that id, so that codes of two
hashers, which look alike, can never be mixed.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from taxohash.errors import TaxohashError
from taxohash.generation.calibration import Calibration
from taxohash.generation.file import ManifestFile
from taxohash.generation.keys import Keys, given
from taxohash.generation.projection import Projection
from taxohash.generation.signature import SIGNATURE, check_signature, read_signature, unsigned_names
from taxohash.images import Preprocessing
from taxohash.runtime.atomic import write_json
from taxohash.runtime.configuration import read
from taxohash.runtime.schema_words import shown
from taxohash.taxonomy import Taxonomy

MANIFEST = "generation.json"
FORMAT = 1


@dataclass(frozen=True)
class Generation:
    """The manifest of a generation.

    Attributes:
        bits: length of the code.
        objective: name and configuration of the method that trained the hasher.
        network: name of the network.
        preprocessing: what an image goes through before the network.
        taxonomy_sha256: identity of the label tree.
        dataset_md5: DVC directory md5 of the data it was trained on.
        code_revision: commit and command that made it.
        evaluation: the evaluation report's metrics, with the name of their protocol.
        bit_health: of the training split's codes.
        reference: of the training split and its queries, and below `asked` what the queries that reference.npz keeps come to: drift is
            measured against these, see `generation.reference`.
        database: the splits whose codes it holds, one after the other: [{"split": name, "rows": images}, ...].
        calibration: how far its answers can be trusted, see `calibrated`; empty where that was not measured.
        projection: a map of its codes, see `mapped`; empty where none was made.
        files: sha256 of every file of the folder, by name.
    """

    bits: int
    objective: dict[str, Any]
    network: str
    preprocessing: Preprocessing
    taxonomy_sha256: str
    dataset_md5: str
    code_revision: dict[str, str]
    evaluation: dict[str, Any]
    bit_health: dict[str, Any]
    reference: dict[str, Any]
    database: list[dict[str, Any]] = field(default_factory=list)
    calibration: dict[str, Any] = field(default_factory=dict)
    projection: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of everything above."""
        return hashlib.sha256(_canonical(self.as_dict())).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """What the manifest says, as JSON holds it."""
        said = asdict(self) | {"preprocessing": self.preprocessing.as_dict()}
        for later in (
            "database",
            "calibration",
            "projection",
        ):  # older generations held the training split, and did not say any of it
            if not said[later]:
                del said[later]
        return said

    @property
    def calibrated(self) -> Calibration | None:
        """How far its answers can be trusted; None where that was not measured."""
        return read(Calibration, self.calibration) if self.calibration else None

    @property
    def mapped(self) -> Projection | None:
        """A map of its codes; None where none was made."""
        return read(Projection, self.projection) if self.projection else None

    # -- folder --------------------------------------------------------------------------------

    def write(self, folder: Path) -> "Generation":
        """Seal the files that lie in `folder` and write the manifest last; the sealed manifest.

        A folder without a manifest is no generation, so a crash before the last step leaves nothing
        that could be taken for one.
        """
        names = sorted(
            p.name for p in folder.iterdir() if p.is_file() and p.name not in (MANIFEST, SIGNATURE)
        )
        sealed = Generation(
            **{**self.__dict__, "files": {name: file_sha256(folder / name) for name in names}}
        )
        data = {"format": FORMAT, "id": sealed.id, **sealed.as_dict()}
        write_json(folder / MANIFEST, data, sort_keys=True)
        return sealed

    @classmethod
    def parse(cls, text: bytes, file: Path) -> "Generation":
        """Read a manifest and check its id; the files that it names are not looked at.

        Args:
            file: where it lies, for messages.

        Raises:
            TaxohashError: no manifest, an unknown format or reader of images, or an id that is not its own.
        """
        try:
            data = json.loads(text.decode())
            claimed, version = data.pop("id"), data.pop("format")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _no_manifest(file, error) from None
        if version != FORMAT:
            raise TaxohashError(
                f"{file} has format {shown(version)}; this version reads {FORMAT}: export it again"
            )
        try:
            read(ManifestFile, data)
        except TaxohashError as error:
            raise _no_manifest(file, error) from None
        try:
            data["preprocessing"] = Preprocessing.from_dict(data["preprocessing"])
        except TaxohashError as error:
            raise TaxohashError(f"{file}: {error}") from None
        generation = cls(**data)
        if claimed != generation.id:
            raise TaxohashError(
                f"{file} says id {shown(claimed)} but its content is {generation.id}: it was edited, export it again"
            )
        return generation

    @classmethod
    def load(cls, folder: str | Path) -> "Generation":
        """Read a generation and check its id, every file's sha256 and its taxonomy; its signature too, where keys were given.

        Raises:
            TaxohashError: no manifest, an unknown format or reader of images, or bytes that do not match the manifest; with
                TAXOHASH_VERIFY_KEY also one that is unsigned, wrongly signed, or has other files besides.
        """
        return cls.load_signed(folder, given())

    @classmethod
    def load_signed(cls, folder: str | Path, keys: Keys | None) -> "Generation":
        """As `load`, by these keys; without any, signed or not.

        The manifest that is read is the one whose signature was checked, and each other file is read once, against that.
        """
        folder = Path(folder)
        file = folder / MANIFEST
        try:
            text = file.read_bytes()
        except OSError as error:
            raise TaxohashError(
                f"generation {folder} has no readable {MANIFEST} ({error.strerror}): export one"
            ) from None
        generation = cls.parse(text, file)
        claimed = generation.id
        if keys is not None:
            generation.require_signed(text, read_signature(folder), keys)
            for name in unsigned_names(folder, (*generation.files, MANIFEST)):
                raise TaxohashError(
                    f"generation {claimed} in {folder} holds {shown(name)}, which was not signed: remove that, or put the generation there again"
                )
        present = {entry.name for entry in folder.iterdir() if entry.is_file()}
        for name, expected in generation.files.items():
            if name not in present:
                raise TaxohashError(f"generation {claimed} lacks {shown(name)}: export it again")
            try:
                found = file_sha256(folder / name)
            except OSError as error:
                raise TaxohashError(
                    f"{folder / name} cannot be read ({error.strerror}): export generation {claimed} again"
                ) from None
            if found != expected:
                raise TaxohashError(
                    f"{folder / name} has sha256 {found}, generation {claimed} says {expected}: export it again"
                )
        if (sha256 := Taxonomy.load(folder).sha256) != generation.taxonomy_sha256:
            raise TaxohashError(
                f"{folder / 'taxonomy.json'} is taxonomy {sha256}, generation {claimed} says {generation.taxonomy_sha256}: export it again"
            )
        return generation

    def require_signed(self, manifest: bytes, signature: bytes | None, keys: Keys) -> None:
        """Make sure that it was signed by one of these keys.

        Args:
            manifest: the bytes of its manifest.
            signature: those of its signature; None where it has none.

        Raises:
            TaxohashError: it was not.
        """
        digests = {**self.files, MANIFEST: hashlib.sha256(manifest).hexdigest()}
        check_signature(self.id, signature, digests, keys)


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _no_manifest(file: Path, error: Exception) -> TaxohashError:
    return TaxohashError(f"{file} is not a generation's manifest ({error}): export it again")


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
