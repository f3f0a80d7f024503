"""Checks of values before anything is written."""

import re
from collections.abc import Iterable

import numpy as np

from services.codestore.records import Item
from taxohash.errors import TaxohashError

MAX_ID = 200
MAX_URI = 2_000
MAX_LABELS = 256
MAX_TAGS = 64
MAX_TAG = 64
MAX_THUMBNAIL = 256 * 1024

# Control characters, line separators and lone surrogates: ids and tags are kept in lines of UTF-8.
_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_FORBIDDEN = re.compile(f"[{_CONTROL}]")
_ID = re.compile(f"[^{_CONTROL}]{{1,{MAX_ID}}}")


def _check_text(what: str, text: str, longest: int, shortest: int = 0) -> None:
    if not isinstance(text, str):
        raise TaxohashError(f"{what} {text!r} is not a string: convert it")
    if not shortest <= len(text) <= longest:
        raise TaxohashError(
            f"{what} {text[:60]!r} has {len(text)} characters: keep it between {shortest} and {longest}"
        )
    if bad := _FORBIDDEN.search(text):
        raise TaxohashError(f"{what} {text[:60]!r} contains the control character {bad[0]!r}: remove it")


def check_ids(ids: Iterable[str]) -> list[str]:
    """The ids as a list.

    Raises:
        TaxohashError: one is no string, empty, too long, or contains control characters; or is given twice.
    """
    listed = list(ids)
    for item_id in listed:
        if not isinstance(item_id, str) or not _ID.fullmatch(item_id):
            _check_text("item id", item_id, MAX_ID, shortest=1)
    if len(set(listed)) < len(listed):
        seen: set[str] = set()
        twice = next(item_id for item_id in listed if item_id in seen or seen.add(item_id))  # type: ignore[func-returns-value]
        raise TaxohashError(f"item id {twice!r} is given twice in one call: give one code an item")
    return listed


def check_item(item: Item, labels: int) -> Item:
    """The item itself.

    Raises:
        TaxohashError: a value is out of its bounds, or a label is not one of `labels`.
    """
    _check_text("item id", item.id, MAX_ID, shortest=1)
    if not isinstance(item.labels, tuple) or len(item.labels) > MAX_LABELS:
        raise TaxohashError(
            f"labels of item {item.id!r} are not a tuple of at most {MAX_LABELS}: give one, several or none"
        )
    for label in item.labels:
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < labels:
            raise TaxohashError(
                f"item {item.id!r} has label {label!r}: the taxonomy has labels 0 to {labels - 1}"
            )
    if len(set(item.labels)) < len(item.labels):
        raise TaxohashError(f"item {item.id!r} has labels {item.labels}: give each once")
    _check_text(f"uri of item {item.id!r}", item.uri, MAX_URI)
    if len(item.tags) > MAX_TAGS:
        raise TaxohashError(f"item {item.id!r} has {len(item.tags)} tags: keep it to {MAX_TAGS}")
    for tag in item.tags:
        _check_text(f"tag of item {item.id!r}", tag, MAX_TAG, shortest=1)
    if not isinstance(item.thumbnail, bytes) or len(item.thumbnail) > MAX_THUMBNAIL:
        raise TaxohashError(
            f"thumbnail of item {item.id!r} is not bytes, at most {MAX_THUMBNAIL}: make it smaller"
        )
    return item
