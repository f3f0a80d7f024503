"""Checks of values before anything is written."""

import re
from collections.abc import Iterable

import numpy as np

from services.codestore.records import Item
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id, shown

MAX_URI = 2_000
MAX_LABELS = 256
MAX_TAGS = 64
MAX_TAG = 64
MAX_THUMBNAIL = 256 * 1024

# Control characters, line separators and lone surrogates: tags are joined by tabs, and both are shown in a line.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
        TaxohashError: one is no id (see check_id), or is given twice.
    """
    listed = [check_id(item_id) for item_id in ids]
    if len(set(listed)) < len(listed):
        seen: set[str] = set()
        twice = next(item_id for item_id in listed if item_id in seen or seen.add(item_id))  # type: ignore[func-returns-value]
        raise TaxohashError(f"item id {shown(twice)} is given twice in one call: give one code an item")
    return listed


def check_item(item: Item, labels: int) -> Item:
    """The item itself.

    Raises:
        TaxohashError: a value is out of its bounds, or a label is not one of `labels`.
    """
    name = shown(check_id(item.id))
    if not isinstance(item.labels, tuple) or len(item.labels) > MAX_LABELS:
        raise TaxohashError(
            f"labels of item {name} are not a tuple of at most {MAX_LABELS}: give one, several or none"
        )
    for label in item.labels:
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < labels:
            raise TaxohashError(f"item {name} has label {label!r}: the taxonomy has labels 0 to {labels - 1}")
    if len(set(item.labels)) < len(item.labels):
        raise TaxohashError(f"item {name} has labels {item.labels}: give each once")
    _check_text(f"uri of item {name}", item.uri, MAX_URI)
    if len(item.tags) > MAX_TAGS:
        raise TaxohashError(f"item {name} has {len(item.tags)} tags: keep it to {MAX_TAGS}")
    for tag in item.tags:
        _check_text(f"tag of item {name}", tag, MAX_TAG, shortest=1)
    if not isinstance(item.thumbnail, bytes) or len(item.thumbnail) > MAX_THUMBNAIL:
        raise TaxohashError(
            f"thumbnail of item {name} is not bytes, at most {MAX_THUMBNAIL}: make it smaller"
        )
    return item
