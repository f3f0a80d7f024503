"""An item as its client sent it: from query string, content type and body to checked values. Nothing of a picture is looked at."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.codestore import Item
from services.codestore.checks import check_item
from services.retrieval.form import Part, boundary_of, kind_of, parts_of, shown
from services.retrieval.json_body import object_of
from services.retrieval.schemas.items import (
    MOST_ITEMS,
    MOST_LABELS,
    MOST_TAGS,
    BatchBody,
    Content,
    Described,
    PutBody,
)
from services.retrieval.schemas.reading import read
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError

IMAGE, ITEMS = "image", "items"
_TEXT_BYTES = 1 << 20  # of what is said of the items of a batch


class Way(NamedTuple):
    """How a body is read.

    Attributes:
        boundary: of a form; else None.
    """

    kind: str
    boundary: bytes | None


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


def way_of(content_types: list[str], is_batch: bool = False) -> Way:
    """How to read a body, by the content types that its request names; known before the body is there.

    Raises:
        RefusedError: 415, none of those that are read; 400, a form without a boundary.
    """
    header = ", ".join(content_types)
    found = kind_of(header) if len(content_types) == 1 else None
    if found and found[0] == "multipart/form-data":
        return Way("form", boundary_of(found[1]))
    if found and found[0] == "application/json":
        return Way("json", None)
    if found and found[0].startswith("image/") and not is_batch:
        return Way("image", None)
    picture = "" if is_batch else ", or the picture itself as image/*"
    raise RefusedError(
        415,
        "content-type",
        f"content type is {shown(header)}: send multipart/form-data, application/json{picture}",
    )


def draft_of(item_id: str, body: bytearray, way: Way, asked: Described) -> Draft:
    """Read and check an item.

    Args:
        asked: labels and tags of the query string; they may stand in a form as well, but not in both.

    Raises:
        RefusedError: 400, with what is wrong.
    """
    if way.kind == "json":
        content = read(PutBody, object_of(body))
        _refuse_both(asked, content)
        return _checked(_draft(item_id, content, None))
    if way.boundary is None:
        return _checked(Draft(item_id, tuple(asked.labels), tuple(asked.tags), _picture(bytes(body))))
    parts = parts_of(body, way.boundary, 1 + MOST_LABELS + MOST_TAGS)
    pictures = [part for part in parts if part.is_file]
    texts = {name: [_text(part) for part in parts if part.name == name] for name in Described.model_fields}
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
    _refuse_both(asked, read(Described, texts, "form"))
    said = {name: texts[name] or getattr(asked, name) for name in texts}
    return _checked(Draft(item_id, tuple(said["labels"]), tuple(said["tags"]), _picture(pictures[0].content)))


def drafts_of(body: bytearray, way: Way) -> list[tuple[str, Callable[[], Draft]]]:
    """Read and check a batch: the id of each item, and what gives it or refuses it.

    Raises:
        RefusedError: 400, with what is wrong with all of it.
    """
    files: dict[str, bytes] = {}
    if way.boundary is None:
        told = object_of(body)
    else:
        parts = parts_of(body, way.boundary, 1 + MOST_ITEMS, _TEXT_BYTES)
        told = object_of(b'{"items":' + _only_items(parts) + b"}")
        for part in parts:
            if part.name in files:
                raise RefusedError(400, "form", f"form has two files {shown(part.name)}: name each once")
            if part.name != ITEMS:
                files[part.name] = part.content
    batch = read(BatchBody, told)
    ids = [item.id for item in batch.items]
    if twice := next((item_id for item_id in ids if ids.count(item_id) > 1), None):
        raise RefusedError(400, "request", f"item id {shown(twice)} is given twice: give each once")
    wanted = [item.file for item in batch.items if item.file is not None]
    if strange := sorted({*files} - {*wanted}):
        raise RefusedError(400, "form", f"no item names the file {shown(strange[0])}: leave it out")
    if missing := sorted({*wanted} - {*files}):
        raise RefusedError(400, "form", f"form has no file {shown(missing[0])}, which an item names: send it")
    return [(item.id, _drafting(item.id, item, item.file and files[item.file])) for item in batch.items]


def _drafting(item_id: str, content: Content, file: bytes | str | None) -> Callable[[], Draft]:
    return lambda: _checked(_draft(item_id, content, file if isinstance(file, bytes) else None))


def _draft(item_id: str, content: Content, file: bytes | None) -> Draft:
    if content.image is not None:
        try:
            file = base64.b64decode(content.image, validate=True)
        except ValueError:  # no ASCII, or no base64
            raise RefusedError(
                400, "request", "'image' is no base64: encode the picture's bytes so"
            ) from None
    picture = None if file is None else _picture(file)
    return Draft(
        item_id, tuple(content.labels), tuple(content.tags), picture, content.code, content.generation
    )


def _checked(draft: Draft) -> Draft:
    """A draft whose id and tags may be stored."""
    try:
        check_item(Item(draft.id, tags=draft.tags), ())
    except TaxohashError as error:
        raise RefusedError(400, "parameter", str(error)) from None
    return draft


def _picture(data: bytes) -> bytes:
    if not data:
        raise RefusedError(400, "form", "picture has no bytes: send one")
    return data


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


def _text(part: Part) -> str:
    try:
        return part.content.decode()
    except UnicodeDecodeError:
        raise RefusedError(400, "form", f"field {shown(part.name)} is not UTF-8: send it so") from None
