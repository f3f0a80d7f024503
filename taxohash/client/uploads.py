"""Items to put: as they are given, as they are sent, and those of a folder."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taxohash.client.queries import Picture, bytes_of
from taxohash.errors import TaxohashError

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")  # of files that are taken from a folder


@dataclass(frozen=True)
class Upload:
    """An item to put, with a picture, or with a code and the generation that made it.

    Attributes:
        picture: its bytes, or a file, which is read when its turn comes.
        code: hexadecimal.
        labels: paths of the taxonomy that is served, such as `tops/shirt`.
    """

    id: str
    picture: Picture | None = None
    code: str | None = None
    generation: str | None = None
    labels: Sequence[str] = ()
    tags: Sequence[str] = ()

    def load(self) -> "Loaded":
        """The same, with the picture's bytes.

        Raises:
            TaxohashError: the picture's file cannot be read; neither picture nor code, or both; the id is no text; one text is
                given for several.
        """
        if (self.picture is None) == (self.code is None):
            raise TaxohashError(f"item {self.id!r} is put with a picture or with a code: give one of them")
        if (self.code is None) != (self.generation is None):
            raise TaxohashError(f"item {self.id!r}: give a code with the generation that made it")
        try:
            self.id.encode()
        except UnicodeEncodeError:
            raise TaxohashError(
                f"item id {self.id!r} is no UTF-8: give another, or rename the file"
            ) from None
        picture = None if self.picture is None else bytes_of(self.picture)
        labels, tags = listed("labels", self.labels), listed("tags", self.tags)
        return Loaded(self.id, picture, self.code, self.generation, labels, tags)


@dataclass(frozen=True)
class Loaded:
    """An item as it is sent."""

    id: str
    picture: bytes | None
    code: str | None
    generation: str | None
    labels: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Tells it from the same item with another picture, other labels or tags."""
        told = hashlib.sha256(repr((self.code, self.generation, self.labels, self.tags)).encode())
        told.update(self.picture or b"")
        return told.hexdigest()[:32]


def listed(what: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Several texts.

    Raises:
        TaxohashError: it is one text, which would be taken for its characters.
    """
    if isinstance(texts, str):
        raise TaxohashError(f"{what} are the text {texts[:60]!r}: give a list")
    return tuple(texts)


def of_folder(
    folder: str | Path, prefix: str = "", tags: Sequence[str] = (), folders_are_labels: bool = False
) -> Iterator[Upload]:
    """The pictures below a folder, in the order of their names; the id is the path below it. Hidden ones are left out.

    Args:
        prefix: of all ids.
        folders_are_labels: a picture's label is the path of its folder.

    Raises:
        TaxohashError: no such folder, or no picture in it.
    """
    root, found = Path(folder), False
    if not root.is_dir():
        raise TaxohashError(f"{folder} is no folder: give one with pictures")
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if file.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in path.parts):
            continue
        if file.is_file():
            found = True
            label = path.parent.as_posix()
            labels = (label,) if folders_are_labels and label != "." else ()
            yield Upload(prefix + path.as_posix(), file, labels=labels, tags=tags)
    if not found:
        raise TaxohashError(f"{folder} has no pictures ({', '.join(SUFFIXES)}): give a folder with some")


def uploads_of(items: Iterable[Upload] | str | Path) -> tuple[Iterator[Upload], int | None]:
    """The items, or those of a folder; and how many they are, where that is known before they are sent."""
    if isinstance(items, str | Path):
        listed = list(of_folder(items))
        return iter(listed), len(listed)
    return iter(items), len(items) if isinstance(items, Sequence) else None
