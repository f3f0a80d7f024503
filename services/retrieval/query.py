"""A search as its client asked for it: from query string, content type and body to checked values.

Nothing of a picture is looked at here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.retrieval.bodies import IMAGE, Form, picture_in, picture_of, text_of
from services.retrieval.form import parts_of, shown
from services.retrieval.json_body import object_of
from services.retrieval.schemas.base import MOST_QUERIES, Request, checked
from services.retrieval.schemas.search import (
    Batch,
    ByCode,
    ByItem,
    ByPicture,
    Code,
    EncodeBody,
    EncodeWishes,
    Item,
    Picture,
    Wishes,
)
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.identifiers import check_id

PARAMETERS = tuple(Wishes.model_fields)
DEFAULT_K = 10
_LISTS = ("within", "tags")  # that may be given several times
_NUMBERS = ("k", "radius")
_WHOLE = re.compile("[0-9]{1,18}|-[1-9][0-9]{0,17}")
_SWITCHES = {"true": True, "false": False}
_KINDS: dict[str, type[Wishes]] = {"image": ByPicture, "id": ByItem, "code": ByCode, "queries": Batch}
_ONE: dict[str, type[Request]] = {"image": Picture, "id": Item, "code": Code}


@dataclass(frozen=True)
class ByImage:
    """A query by picture: its bytes, not decoded."""

    image: bytes


@dataclass(frozen=True)
class ById:
    """A query by item."""

    id: str


@dataclass(frozen=True)
class ByHex:
    """A query by code, as hexadecimal digits."""

    code: str


Query = ByImage | ById | ByHex


@dataclass(frozen=True)
class Search:
    """What a request searches for.

    Attributes:
        queries: or why one of several cannot be read.
        is_batch: whether each has an answer of its own.
    """

    queries: tuple[Query | RefusedError, ...]
    wishes: Wishes
    is_batch: bool = False


@dataclass(frozen=True)
class Encoding:
    """What a request wants the codes of.

    Attributes:
        images: bytes of pictures, or why one of several cannot be read.
        weights: whether what each bit weighs is wanted.
        generation: that must answer.
        is_batch: whether each has an answer of its own.
    """

    images: tuple[ByImage | RefusedError, ...]
    weights: bool
    generation: str | None
    is_batch: bool = False


def search_of(
    body: bytes | bytearray, form: Form, parameters: Iterable[tuple[str, str]], most: int
) -> Search:
    """Read and check a search.

    Args:
        parameters: of the query string; they may stand in the body as well, but not in both.
        most: answers.

    Raises:
        RefusedError: 400, with what is wrong; of several queries each has its own.
    """
    texts = _Texts(PARAMETERS)
    for name, value in parameters:
        texts.take(name, value)
    if form.is_json:
        return _json_search(_joined(object_of(body), texts.values()), most)
    images = _images_of(body, form, texts)
    wishes = checked(Wishes, _with_k(texts.values(), most))
    if len(images) == 1:
        return Search((ByImage(picture_of(images[0])),), wishes)
    return Search(tuple(_each(lambda image: ByImage(picture_of(image)), images)), wishes, is_batch=True)


def wishes_of(parameters: Iterable[tuple[str, str]], most: int) -> Wishes:
    """What a query string alone wants of a search.

    Raises:
        RefusedError: see `search_of`.
    """
    texts = _Texts(PARAMETERS)
    for name, value in parameters:
        texts.take(name, value)
    return checked(Wishes, _with_k(texts.values(), most))


def encoding_of(body: bytes | bytearray, form: Form, parameters: Iterable[tuple[str, str]]) -> Encoding:
    """Read and check what is to be encoded.

    Raises:
        RefusedError: see `search_of`.
    """
    texts = _Texts(tuple(EncodeWishes.model_fields))
    for name, value in parameters:
        texts.take(name, value)
    if not form.is_json:
        images = _images_of(body, form, texts)
        wishes = checked(EncodeWishes, texts.values())
        if len(images) == 1:
            return Encoding((ByImage(picture_of(images[0])),), wishes.weights, wishes.generation)
        return Encoding(
            tuple(_each(lambda image: ByImage(picture_of(image)), images)),
            wishes.weights,
            wishes.generation,
            is_batch=True,
        )
    asked = checked(EncodeBody, _joined(object_of(body), texts.values()))
    if (asked.image is None) == (asked.images is None):
        raise RefusedError(400, "parameter", "give exactly one of image and images: pictures in base64")
    if asked.image is not None:
        return Encoding((ByImage(picture_in(asked.image)),), asked.weights, asked.generation)
    several = _each(
        lambda image: ByImage(picture_in(checked(Picture, {IMAGE: image}).image)), asked.images or []
    )
    return Encoding(tuple(several), asked.weights, asked.generation, is_batch=True)


def _json_search(fields: dict[str, Any], most: int) -> Search:
    given = [kind for kind in _KINDS if kind in fields]
    if len(given) != 1:
        raise RefusedError(
            400,
            "parameter",
            f"search has {' and '.join(given) or 'nothing to search for'}: give exactly one of {', '.join(_KINDS)}",
        )
    wishes = checked(_KINDS[given[0]], _with_k(fields, most))
    if isinstance(wishes, ByCode):
        return Search((ByHex(wishes.code),), wishes)
    common = Wishes.model_construct(**{name: getattr(wishes, name) for name in PARAMETERS})  # no pictures
    if isinstance(wishes, Batch):
        return Search(tuple(_each(_query, fields["queries"])), common, is_batch=True)
    return Search((_query({given[0]: fields[given[0]]}),), common)


def _query(fields: Any) -> Query:
    """One query of a batch, or the only one."""
    if not isinstance(fields, Mapping):
        raise RefusedError(
            400, "parameter", f"query is {shown(fields)}: give an object with image, id or code"
        )
    given = [kind for kind in _ONE if kind in fields]
    if len(given) != 1:
        raise RefusedError(
            400,
            "parameter",
            f"query has {' and '.join(given) or 'nothing to search for'}: give exactly one of {', '.join(_ONE)}",
        )
    match checked(_ONE[given[0]], fields):
        case Picture(image=text):
            return ByImage(picture_in(text))
        case Item(id=item_id):
            try:
                return ById(check_id(item_id))
            except TaxohashError as error:  # no item can have it
                raise RefusedError(404, "item", str(error)) from None
        case Code(code=digits):
            return ByHex(digits)
        case _:
            raise AssertionError(given)


def _each(read: Any, given: Iterable[Any]) -> list[Any]:
    """What is read of each, or why it cannot be."""
    found = []
    for one in given:
        try:
            found.append(read(one))
        except RefusedError as refused:
            found.append(refused)
    return found


def _with_k(fields: dict[str, Any], most: int) -> dict[str, Any]:
    """Fields with the number of answers that is wanted.

    Raises:
        RefusedError: it is not a whole number between 1 and `most`.
    """
    k = fields.get("k", most if "radius" in fields else min(DEFAULT_K, most))
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= most:
        raise RefusedError(
            400, "parameter", f"k is {shown(k)}: give a whole number from 1 to {most} (TAXOHASH_MAX_K)"
        )
    return fields | {"k": k}


def _joined(fields: dict[str, Any], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a body and parameters of a query string; a field that is null is not given."""
    given = {name: value for name, value in fields.items() if value is not None}
    for name in texts.keys() & given.keys():
        raise _twice(name)
    return given | dict(texts)


class _Texts:
    """Parameters as texts, from a query string and a form."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self._known = known
        self._given: dict[str, list[str]] = {}

    def take(self, name: str, text: str) -> None:
        """Take one of them.

        Raises:
            RefusedError: 400, there is none of this name, or it is there already.
        """
        if name not in self._known:
            named = " or ".join(repr(one) for one in self._known)
            raise RefusedError(
                400, "form", f"field {shown(name)} is not known: send the file 'image', and {named} as text"
            )
        if name in self._given and name not in _LISTS:
            raise _twice(name)
        self._given.setdefault(name, []).append(text)

    def values(self) -> dict[str, Any]:
        """What they stand for; one without a text is not given. What stands for nothing stays a text, and is refused later."""
        found: dict[str, Any] = {}
        for name, texts in self._given.items():
            kept = [text for text in texts if text]
            if kept:
                found[name] = kept if len(kept) > 1 else _value(name, kept[0])
        return found


def _value(name: str, text: str) -> Any:
    if name in _NUMBERS and _WHOLE.fullmatch(text):
        return int(text)
    return text if name in (*_LISTS, *_NUMBERS) else _SWITCHES.get(text, text)


def _twice(name: str) -> RefusedError:
    return RefusedError(400, "form", f"parameter {name!r} is given twice: give it once")


def _images_of(body: bytes | bytearray, form: Form, texts: _Texts) -> list[bytes]:
    """The pictures of a body, one or more; its texts go to `texts`."""
    if form.boundary is None:
        return [bytes(body)]
    images = []
    for part in parts_of(body, form.boundary):
        if part.name == IMAGE and part.is_file:
            images.append(part.content)
        elif part.name == IMAGE:
            raise RefusedError(400, "form", "field 'image' holds text: send it as a file, with a filename")
        elif part.is_file:
            raise RefusedError(
                400,
                "form",
                f"file in the field {shown(part.name)}: send one file, in 'image', and the parameters as text",
            )
        else:
            texts.take(part.name, text_of(part))
    if not 1 <= len(images) <= MOST_QUERIES:
        raise RefusedError(
            400,
            "form",
            f"form has {len(images)} files in the field 'image': send one, or up to {MOST_QUERIES}",
        )
    return images
