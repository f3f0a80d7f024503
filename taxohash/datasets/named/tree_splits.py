"""Which split a picture of a tree belongs to: its top folder says so, or the hash of its bytes."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal

from taxohash.datasets.layout import names_a_split
from taxohash.datasets.splits import CANARY
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import some

SplitRule = Literal["auto", "folders", "hash"]
SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_HASHED = "--splits hash takes them as labels"


def usual(folder: str) -> str | None:
    """The split that a folder's name spells, if it does: `Training` is train, `valid` is val."""
    return SPELLINGS.get(folder.casefold())


def look_like_splits(folders: Collection[str]) -> bool:
    """Whether train and another split are among folders, or a word of each spells one: `seg_train` and `seg_test`."""
    by_name = {usual(folder) for folder in folders} - {None}
    by_word = {_hinted(folder) for folder in folders}
    return any("train" in splits and len(splits) > 1 for splits in (by_name, by_word) if None not in splits)


def _hinted(folder: str) -> str | None:
    words = re.findall("[a-z]+", folder.casefold())
    return next((SPELLINGS[word] for word in words if word in SPELLINGS), None)


def by_folder(root: Path, tops: Sequence[str], rule: SplitRule) -> dict[str, str] | None:
    """The split of every folder at the top, or None where the hash decides.

    `auto` takes the folders if each spells a split and one is train; `folders` takes them under whatever names
    they have.

    Raises:
        TaxohashError: some folders look like splits and some do not, train is not among them, two are one split,
            or a name that no file of a split can have.
    """
    spelt = {top: split for top in tops if (split := usual(top))}
    if rule == "hash":
        return None
    if rule == "auto" and not spelt:
        if look_like_splits(tops):
            raise TaxohashError(
                f"{root} has {some(map(repr, tops))}, which look like splits: name them train, val and test, or {_HASHED}"
            )
        return None
    if rule == "auto" and (others := [top for top in tops if top not in spelt]):
        raise TaxohashError(
            f"{root} has {some(map(repr, spelt))}, which look like splits, beside {some(map(repr, others))}: --splits folders takes "
            f"all as splits, {_HASHED}"
        )
    if rule == "auto" and "train" not in spelt.values():
        raise TaxohashError(
            f"{root} has only {some(map(repr, spelt))}, which look like splits, and no train: give the folder above all "
            f"splits; --splits folders takes these alone, {_HASHED}"
        )
    kept_apart = {top: CANARY for top in tops if top.casefold() == CANARY}
    taken = {top: top for top in tops} | kept_apart | spelt
    for split in taken.values():
        if len(own := [top for top in tops if taken[top] == split]) > 1:
            raise TaxohashError(
                f"{root} has {some(map(repr, own))}, which are all {split}: join them, or {_HASHED}"
            )
        if not names_a_split(split):
            raise TaxohashError(
                f"{root} has the folder {split!r}, which cannot name a split: use letters, digits, '.', '-' and '_'"
            )
    return dict(sorted(taken.items(), key=lambda pair: (_ORDER.get(pair[1], len(_ORDER)), pair[1])))


def by_hash(
    digests: Mapping[PurePath, bytes], labels: Mapping[PurePath, PurePath], test_share: float
) -> dict[str, list[PurePath]]:
    """Pictures of train and of test, in the order given; a split without pictures is left out.

    The first 8 bytes of a picture's SHA-256, read as a number from 0 to 1, are less than `test_share`: it is in
    test. So adding pictures moves no other, and copies stay together. One exception: if this leaves a label
    without a picture in train, its picture with the largest hash goes there, with all its copies.

    Args:
        digests: SHA-256 of every picture.
        labels: folder of every picture's label.
    """
    of_label: defaultdict[PurePath, list[bytes]] = defaultdict(list)
    for picture, digest in digests.items():
        of_label[labels[picture]].append(digest)
    largest = {max(own) for own in of_label.values()}  # at or above the share they are in train anyway
    splits: dict[str, list[PurePath]] = {"train": [], "test": []}
    for picture, digest in digests.items():
        tested = _number(digest) < test_share and digest not in largest
        splits["test" if tested else "train"].append(picture)
    return {split: own for split, own in splits.items() if own}


_ORDER = {split: position for position, split in enumerate(dict.fromkeys(SPELLINGS.values()))}


def _number(digest: bytes) -> float:
    return int.from_bytes(digest[:8], "big") / 2**64
