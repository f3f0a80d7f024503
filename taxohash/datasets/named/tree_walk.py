"""Walk a tree of images: its pictures, and of everything else why it is none.

What a file is, its first bytes say, whatever its name. Links are followed, to files and to folders alike.
"""

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id
from taxohash.images import FORMATS
from taxohash.runtime.terminal import printable, shortened

# What systems leave in folders of pictures; hidden names come on top.
LITTER = frozenset(
    {
        "__macosx",
        "@eadir",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "#recycle",
        "lost+found",
    }
)
# How files of each format begin. The second half are pictures as well, but none that is read here.
_BEGINNINGS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF.{4}WEBP",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # and one of the known lengths of its header
    "TIFF": rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]",
    "HEIC": rb".{4}ftyp(heic|heix|hevc|mif1|msf1)",
    "AVIF": rb".{4}ftypavi[fs]",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "PSD": rb"8BPS",
}
_FORMATS = {name: re.compile(beginning, re.DOTALL) for name, beginning in _BEGINNINGS.items()}
NO_PICTURE = "no picture"
_LONGEST = 200  # characters of a path that is printed
_HEAD = 32  # bytes that tell a format
# A file with such a name is meant as a picture.
_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "gif", "webp", "bmp", "dib"),
        *("tif", "tiff", "heic", "heif", "avif", "jp2", "jxl", "psd", "svg"),
    )
)


@dataclass
class Tree:
    """What lies in a folder; all paths are relative to it and in order.

    Attributes:
        pictures: files that begin like one of the formats that are read, by their path.
        left_out: what is none, by the reason.
        unusable: what is meant as a picture or may hold some and cannot be used, and why.
        barren: folders that are no picture's folder, have none in or below them, and hold other files.
    """

    pictures: dict[PurePath, str] = field(default_factory=dict)
    left_out: defaultdict[str, list[PurePath]] = field(default_factory=lambda: defaultdict(list))
    unusable: dict[PurePath, str] = field(default_factory=dict)
    barren: list[PurePath] = field(default_factory=list)


def walk(root: Path) -> Tree:
    """Look at every file below a folder, through links; nothing is decoded.

    Raises:
        TaxohashError: `root` itself cannot be read.
    """
    tree, folders = Tree(), [(PurePath(), frozenset[tuple[int, int]]())]
    files: list[PurePath] = []
    while folders:
        folder, above = folders.pop()
        try:
            known = os.stat(root / folder)
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            if folder == PurePath():
                raise TaxohashError(f"source {root} cannot be read ({error.strerror})") from None
            tree.unusable[folder] = f"cannot be read ({error.strerror})"
            continue
        own = (known.st_dev, known.st_ino)
        if own in above:
            tree.left_out["link to a folder that it lies in"].append(folder)
            continue
        if not entries:
            tree.left_out["empty folder"].append(folder)
        for entry in entries:
            path = folder / entry.name
            if reason := _ignored(entry):
                tree.left_out[reason].append(path)
            elif os.path.isdir(entry.path):
                folders.append((path, above | {own}))
            else:
                files.append(path)
    for path in sorted(files):
        _sort_in(tree, root, path)
    for paths in tree.left_out.values():
        paths.sort()
    tree.barren = _barren(tree)
    return tree


def _ignored(entry: "os.DirEntry[str]") -> str | None:
    if entry.name.startswith("."):
        return "hidden"
    if entry.name.lower() in LITTER:
        return "left by a system"
    # Of a link that cannot be followed the entry itself would raise an error; it is looked at with the files.
    other = os.path.exists(entry.path) and not (os.path.isdir(entry.path) or os.path.isfile(entry.path))
    return "neither file nor folder" if other else None


def _sort_in(tree: Tree, root: Path, path: PurePath) -> None:
    suffix = path.suffix.lower()
    try:
        with (root / path).open("rb") as stream:
            found = _format(stream.read(_HEAD))
        if found in FORMATS:
            check_id(path.as_posix())
            tree.pictures[path] = found
        elif found:
            tree.unusable[path] = f"{found}, not {', '.join(FORMATS)}"
        elif suffix in _SUFFIXES:
            tree.unusable[path] = f"none of {', '.join(FORMATS)}"
        else:
            tree.left_out[f"{NO_PICTURE} ({suffix or 'no suffix'})"].append(path)
    except TaxohashError as error:
        tree.unusable[path] = str(error)
    except OSError as error:
        tree.unusable[path] = f"cannot be read ({error.strerror})"


def _format(head: bytes) -> str | None:
    return next((name for name, beginning in _FORMATS.items() if beginning.match(head)), None)


def _barren(tree: Tree) -> list[PurePath]:
    """The topmost folders without a picture that hold files, unless they lie in a picture's folder."""
    fruitful = {folder for path in tree.pictures for folder in path.parents}
    labels = {path.parent for path in tree.pictures}
    others = (own for reason, own in tree.left_out.items() if reason.startswith(NO_PICTURE))
    outermost = {
        next((folder for folder in [*path.parents][::-1] if folder not in fruitful), None)
        for own in others
        for path in own
    }
    return sorted(folder for folder in outermost if folder and folder.parts and folder.parent not in labels)


def shown(path: PurePath) -> str:
    """A path on one line; a long one has its middle left out."""
    return shortened(printable(path.as_posix()), _LONGEST)
