"""An item as its client sent it: from query string, content type and body to checked values. Nothing of a picture is looked at."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.codestore import Item
from services.codestore.checks import check_item
from services.retrieval.bodies import IMAGE, Form, picture_in, picture_of, text_of
from services.retrieval.form import Part, parts_of, shown
from services.retrieval.json_body import object_of
from services.retrieval.schemas.base import checked
from services.retrieval.schemas.items import (
    MOST_ITEMS,
    MOST_LABELS,
    MOST_TAGS,
    BatchEntries,
    BatchItem,
    Content,
    Described,
    EditBody,
    PutBody,
)
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError

ITEMS = "items"
_TEXT_BYTES = 1 << 20  # of what is said of the items of a batch


@dataclass(frozen=True)
class Draft:
    """An item as its client sent it; with a picture, or with a code and the generation that made it.

    Attributes:
        labels: paths.
        code: hexadecimal digits.
    """

    id: str
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    picture: bytes | None = None
    code: str | None = None
    generation: str | None = None

    @property
    def digest(self) -> bytes:
        """Tells it from another, however it was sent."""
        told = hashlib.sha256(
            repr((self.labels, self.tags, self.code, self.generation)).encode("utf-8", "replace")
        )
        told.update(self.picture or b"")
        return told.digest()


@dataclass(frozen=True)
class Change:
    """What its client wants changed of an item; None: nothing.

    Attributes:
        labels: paths.
    """

    id: str
    labels: tuple[str, ...] | None
    tags: tuple[str, ...] | None

    @property
    def digest(self) -> bytes:
        """Tells it from another."""
        return hashlib.sha256(repr((self.labels, self.tags)).encode("utf-8", "replace")).digest()


def change_of(item_id: str, body: bytearray) -> Change:
    """Read and check what is changed of an item.

    Raises:
        RefusedError: 400, with what is wrong.
    """
    said = checked(EditBody, object_of(body), "request")
    labels, tags = (None if own is None else tuple(own) for own in (said.labels, said.tags))
    _check(item_id, tags or ())
    return Change(item_id, labels, tags)


def draft_of(item_id: str, body: bytearray, form: Form, asked: Described) -> Draft:
    """Read and check an item.

    Args:
        asked: labels and tags of the query string; they may stand in a form as well, but not in both.

    Raises:
        RefusedError: 400, with what is wrong.
    """
    if form.is_json:
        content = checked(PutBody, object_of(body), "request")
        _refuse_both(asked, content)
        return _checked(_draft(item_id, content, None))
    if form.boundary is None:
        return _checked(Draft(item_id, tuple(asked.labels), tuple(asked.tags), picture_of(bytes(body))))
    parts = parts_of(body, form.boundary, 1 + MOST_LABELS + MOST_TAGS)
    pictures = [part for part in parts if part.is_file]
    texts = {name: [text_of(part) for part in parts if part.name == name] for name in Described.model_fields}
    for part in parts:
        if part.name not in ((IMAGE,) if part.is_file else texts):
            raise RefusedError(
                400,
                "form",
                f"{'file' if part.is_file else 'text'} in the field {shown(part.name)}: "
                "send one file, in 'image', and 'labels' and 'tags' as text, each as often as needed",
            )
    if len(pictures) != 1:
        raise RefusedError(
            400, "form", f"form has {len(pictures)} files in the field 'image': send exactly one"
        )
    _refuse_both(asked, checked(Described, texts, "form"))
    said = {name: texts[name] or getattr(asked, name) for name in texts}
    return _checked(
        Draft(item_id, tuple(said["labels"]), tuple(said["tags"]), picture_of(pictures[0].content))
    )


def drafts_of(body: bytearray, form: Form) -> list[tuple[str | None, Callable[[], Draft]]]:
    """Read a batch: the id of each item, None where it tells none, and what gives the item or refuses it.

    Raises:
        RefusedError: 400, with what is wrong with all of it.
    """
    files: dict[str, bytes] = {}
    if form.boundary is None:
        told = object_of(body)
    else:
        parts = parts_of(body, form.boundary, 1 + MOST_ITEMS, _TEXT_BYTES)
        told = object_of(b'{"items":' + _only_items(parts) + b"}")
        for part in parts:
            if part.name in files:
                raise RefusedError(400, "form", f"form has two files {shown(part.name)}: name each once")
            if part.name != ITEMS:
                files[part.name] = part.content
    entries = checked(BatchEntries, told, "request").items
    ids = [_text(entry, "id") for entry in entries]
    if twice := next((own for own in ids if own is not None and ids.count(own) > 1), None):
        raise RefusedError(400, "request", f"item id {shown(twice)} is given twice: give each once")
    if strange := sorted({*files} - {_text(entry, "file") for entry in entries}):
        raise RefusedError(400, "form", f"no item names the file {shown(strange[0])}: leave it out")
    return [(own, partial(_drafted, entry, files)) for own, entry in zip(ids, entries, strict=True)]


def _text(entry: Any, field: str) -> str | None:
    """A field of what should be an item; None where it has no text there."""
    found = entry.get(field) if isinstance(entry, Mapping) else None
    return found if isinstance(found, str) else None


def _drafted(entry: Any, files: Mapping[str, bytes]) -> Draft:
    if not isinstance(entry, Mapping):
        raise RefusedError(
            400, "request", f"item is {shown(entry)}: give an object with id, and image, file or code"
        )
    item = checked(BatchItem, entry, "request")
    if item.file is not None and item.file not in files:
        raise RefusedError(400, "form", f"form has no file {shown(item.file)}, which the item names: send it")
    return _checked(_draft(item.id, item, None if item.file is None else files[item.file]))


def _draft(item_id: str, content: Content, file: bytes | None) -> Draft:
    if content.image is not None:
        file = picture_in(content.image)
    picture = None if file is None else picture_of(file)
    return Draft(
        item_id, tuple(content.labels), tuple(content.tags), picture, content.code, content.generation
    )


def _checked(draft: Draft) -> Draft:
    """A draft whose id and tags may be stored."""
    _check(draft.id, draft.tags)
    return draft


def _check(item_id: str, tags: tuple[str, ...]) -> None:
    try:
        check_item(Item(item_id, tags=tags), ())
    except TaxohashError as error:
        raise RefusedError(400, "parameter", str(error)) from None


def _only_items(parts: Sequence[Part]) -> bytes:
    found = [part.content for part in parts if part.name == ITEMS]
    if len(found) != 1:
        raise RefusedError(
            400,
            "form",
            f"form has {len(found)} fields 'items': send one, a JSON list, and files that it names",
        )
    return found[0]


def _refuse_both(asked: Described, content: Described) -> None:
    for name in Described.model_fields:
        if getattr(asked, name) and getattr(content, name):
            raise RefusedError(
                400, "parameter", f"{name!r} stand in the query string and in the body: give them once"
            )
