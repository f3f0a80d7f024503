"""Checks of values before anything is written."""

import json
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from services.codestore.records import Edit, Item
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id, shown

MAX_URI = 2_000
MAX_LABELS = 256
MAX_TAGS = 64
MAX_TAG = 64
MAX_METADATA = 4_096

# Control characters, line separators and lone surrogates: tags are joined by tabs, and both are shown in a line.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DIGEST = re.compile("[0-9a-f]{64}")
_PIXELS = re.compile("[0-9a-f]{16}")


def _check_text(what: str, text: str, longest: int, shortest: int = 0) -> None:
    if not isinstance(text, str):
        raise TaxohashError(f"{what} {text!r} is not a string: convert it")
    if not shortest <= len(text) <= longest:
        raise TaxohashError(
            f"{what} {text[:60]!r} has {len(text)} characters: keep it between {shortest} and {longest}"
        )
    if bad := _FORBIDDEN.search(text):
        raise TaxohashError(f"{what} {text[:60]!r} contains the control character {bad[0]!r}: remove it")


def check_ids(ids: Iterable[str], empty: bool = True) -> list[str]:
    """The ids as a list.

    Args:
        empty: whether there may be none.

    Raises:
        TaxohashError: one is no id (see check_id), or is given twice; or there is none.
    """
    if isinstance(ids, str | bytes):
        raise TaxohashError(f"item ids are the text {ids[:60]!r}: give a list of ids")
    if not isinstance(ids, Iterable):
        raise TaxohashError(f"item ids are a {type(ids).__name__}: give a list of ids")
    listed = [check_id(item_id) for item_id in ids]
    if len(set(listed)) < len(listed):
        seen: set[str] = set()
        twice = next(item_id for item_id in listed if item_id in seen or seen.add(item_id))  # type: ignore[func-returns-value]
        raise TaxohashError(f"item id {shown(twice)} is given twice in one call: give each once")
    if not listed and not empty:
        raise TaxohashError("the batch has no item: give at least one")
    return listed


def check_items(items: Iterable[Item]) -> list[Item]:
    """The items as a list.

    Raises:
        TaxohashError: they are no list.
    """
    if not isinstance(items, Iterable) or isinstance(items, str | bytes | Mapping):
        raise TaxohashError(f"items are a {type(items).__name__}: give a list of items")
    return list(items)


def check_edits(edits: Iterable[Edit]) -> list[Edit]:
    """The edits as a list.

    Raises:
        TaxohashError: they are no list of edits, or one changes nothing.
    """
    if not isinstance(edits, Iterable) or isinstance(edits, str | bytes | Mapping):
        raise TaxohashError(f"edits are a {type(edits).__name__}: give a list of edits")
    listed = list(edits)
    for edit in listed:
        if not isinstance(edit, Edit):
            raise TaxohashError(f"{str(edit)[:60]!r} is a {type(edit).__name__}: give an Edit")
        if edit.labels is None and edit.tags is None:
            raise TaxohashError(
                f"edit of item {shown(check_id(edit.id))} changes nothing: give labels, tags or both"
            )
    return listed


def check_revisions(revisions: Sequence[int], count: int) -> npt.NDArray[np.uint32]:
    """The revisions of so many items as an array.

    Raises:
        TaxohashError: there are more or fewer, or one is no revision.
    """
    try:
        found = np.asarray(revisions)
    except ValueError:  # of different lengths
        found = np.empty(0, object)
    if found.shape != (count,):
        raise TaxohashError(f"{count} ids came with revisions of shape {found.shape}: give one of each")
    if found.dtype.kind not in "iu" or not ((found >= 0) & (found < 2**32)).all():
        raise TaxohashError(
            f"revisions of {count} ids are not all 0 to 2^32 - 1: give those that came with the items"
        )
    return found.astype("<u4")


def check_item(item: Item, labels: Container[int]) -> Item:
    """The item itself.

    Args:
        labels: the label numbers that there are.

    Raises:
        TaxohashError: a value is out of its bounds, or a label is not one of `labels`.
    """
    if not isinstance(item, Item):
        raise TaxohashError(f"{str(item)[:60]!r} is a {type(item).__name__}: give an Item")
    name = shown(check_id(item.id))
    if not isinstance(item.labels, tuple) or len(item.labels) > MAX_LABELS:
        raise TaxohashError(
            f"labels of item {name} are not a tuple of at most {MAX_LABELS}: give one, several or none"
        )
    for label in item.labels:
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or label not in labels:
            raise TaxohashError(
                f"item {name} has label {label!r}: the collection has no label of this number"
            )
    if len(set(item.labels)) < len(item.labels):
        raise TaxohashError(f"item {name} has labels {item.labels}: give each once")
    _check_text(f"uri of item {name}", item.uri, MAX_URI)
    for what, digest in (("picture", item.picture), ("thumbnail", item.thumbnail)):
        if digest != "" and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise TaxohashError(
                f"{what} of item {name} is {str(digest)[:80]!r}: give the sha256 that the picture store answered, or nothing"
            )
    if item.pixels != "" and not (isinstance(item.pixels, str) and _PIXELS.fullmatch(item.pixels)):
        raise TaxohashError(
            f"pixels of item {name} are {str(item.pixels)[:80]!r}: give the 16 hexadecimal digits of pixel_hash, or nothing"
        )
    if not isinstance(item.tags, tuple) or len(item.tags) > MAX_TAGS:
        raise TaxohashError(f"tags of item {name} are not a tuple of at most {MAX_TAGS}: give fewer")
    for tag in item.tags:
        _check_text(f"tag of item {name}", tag, MAX_TAG, shortest=1)
    if len(set(item.tags)) < len(item.tags):
        raise TaxohashError(f"item {name} has tags {item.tags[:6]}: give each once")
    if not isinstance(item.metadata, Mapping) or item.metadata:
        _check_metadata(name, item.metadata)
    return item


def _check_metadata(name: str, metadata: object) -> None:
    if not isinstance(metadata, Mapping):
        raise TaxohashError(f"metadata of item {name} is a {type(metadata).__name__}: give named values")
    for key, value in metadata.items():
        _check_text(f"metadata key of item {name}", key, MAX_TAG, shortest=1)
        what = f"metadata {key[:60]!r} of item {name}"
        if not isinstance(value, str | int | float):
            raise TaxohashError(f"{what} is a {type(value).__name__}: give a text, a number, true or false")
        if isinstance(value, float) and not math.isfinite(value):
            raise TaxohashError(f"{what} is {value}: give a finite number")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise TaxohashError(f"{what} has more than 64 bits: give it as text")
        if isinstance(value, str):
            _check_text(what, value, MAX_METADATA)
    size = len(json.dumps(dict(metadata), ensure_ascii=False).encode())
    if size > MAX_METADATA:
        raise TaxohashError(f"metadata of item {name} takes {size} bytes: keep it to {MAX_METADATA}")
