"""Every request that a client makes: where it goes, what it brings, and how its answer is read."""

import base64
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from taxohash.client import answers
from taxohash.client.queries import Code, ItemId, Picture, Query, bytes_of, fields_of, texts_of
from taxohash.client.reading import NotAsDescribedError, read
from taxohash.client.uploads import Loaded, listed
from taxohash.errors import TaxohashError

MOST_QUERIES = 64  # of one request
# Of pictures in one request of several: below the service's bound on bodies, in base64 too.
MOST_BYTES = 6 << 20
_FORM_FIELDS, _FORM_TEXT = 90, 4000  # of a form, beyond which a search is sent as JSON

T = TypeVar("T")
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and what reads its answer.

    Attributes:
        what: it is, for sentences.
        read: the answer's body; raises NotAsDescribedError.
        body: `json`, or `data` and `files`, as httpx takes them.
        name: of a write, by which the service knows it when it is sent again.
        is_safe: nothing changes by it, however often it is sent.
    """

    what: str
    method: str
    path: str
    read: Callable[[bytes], T]
    query: Pairs = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    is_safe: bool = True

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again where nobody knows what became of it."""
        return self.is_safe or self.name is not None


def new_name() -> str:
    """A name for a write that no other has."""
    return secrets.token_hex(16)


# -- searches ---------------------------------------------------------------------------------------------------------


def search(query: Query, wishes: Mapping[str, Any]) -> Call[answers.SearchAnswer]:
    """The nearest items of a query."""
    fields, reads = fields_of(wishes), _as(answers.SearchAnswer)
    if isinstance(query, ItemId | Code):
        return Call("the search", "POST", "/v1/search", reads, body={"json": _query(query) | fields})
    picture, texts = bytes_of(query), texts_of(fields)
    if len(texts) > _FORM_FIELDS or any(
        len(text.encode(errors="surrogatepass")) > _FORM_TEXT for _, text in texts
    ):
        body: dict[str, Any] = {"json": _query(picture) | fields}
    else:
        body = _form(texts, [("image", picture)])
    return Call("the search", "POST", "/v1/search", reads, body=body)


def search_many(
    queries: Sequence[Query], wishes: Mapping[str, Any]
) -> Call[list[answers.SearchAnswer | answers.Refusal]]:
    """The nearest items of each of up to MOST_QUERIES."""
    told = {"queries": [_query(query) for query in queries]} | fields_of(wishes)

    def reads(body: bytes) -> list[answers.SearchAnswer | answers.Refusal]:
        found = _object(body).get("answers")
        if not isinstance(found, list) or len(found) != len(queries):
            raise NotAsDescribedError
        return [_answer_or_refusal(one) for one in found]

    return Call("the search", "POST", "/v1/search", reads, body={"json": told})


def encode(picture: Picture, weights: bool = False, generation: str | None = None) -> Call[answers.Encoded]:
    """The code of a picture."""
    texts = texts_of(fields_of({"weights": weights, "generation": generation}))
    body = _form(texts, [("image", bytes_of(picture))])
    return Call("the picture", "POST", "/v1/encode", _as(answers.Encoded), body=body)


def similar(item_id: str, wishes: Mapping[str, Any]) -> Call[answers.SearchAnswer]:
    """What is nearest to an item's stored code."""
    query = [*_by_id(item_id), *texts_of(fields_of(wishes))]
    return Call("the search", "GET", "/v1/similar", _as(answers.SearchAnswer), query)


# -- items ------------------------------------------------------------------------------------------------------------


def get(item_id: str, token: str | None) -> Call[answers.ItemAnswer]:
    """An item."""
    query = [*_by_id(item_id), *texts_of(fields_of({"token": token}))]
    return Call("the item", "GET", "/v1/item", _as(answers.ItemAnswer), query)


def picture_of(item_id: str, which: str) -> Call[bytes]:
    """The `image` or the `thumbnail` of an item."""
    return Call(f"the {which}", "GET", f"/v1/{which}", bytes, _by_id(item_id))


def put(item: Loaded, name: str | None = None) -> Call[answers.PutAnswer]:
    """Add an item, or replace the one of its id."""
    said = {"labels": list(item.labels), "tags": list(item.tags)}
    body = (
        {"json": {"code": item.code, "generation": item.generation} | said}
        if item.picture is None
        else _form(texts_of(said), [("image", item.picture)])
    )
    return Call(
        "the item",
        "PUT",
        "/v1/item",
        _as(answers.PutAnswer),
        _by_id(item.id),
        body,
        name or new_name(),
        False,
    )


def put_several(items: Sequence[Loaded], name: str) -> Call[answers.BatchAnswer]:
    """Add or replace up to 64 items."""
    told = [_entry(item, str(number)) for number, item in enumerate(items)]
    files = [(str(number), item.picture) for number, item in enumerate(items) if item.picture is not None]
    body = _form([("items", json.dumps(told))], files) if files else {"json": {"items": told}}

    def reads(answer: bytes) -> answers.BatchAnswer:
        batch = read(answers.BatchAnswer, _object(answer))
        if [result.id for result in batch.results] != [item.id for item in items] or any(
            (result.put is None) == (result.problem is None) for result in batch.results
        ):
            raise NotAsDescribedError
        return batch

    return Call("the items", "POST", "/v1/items", reads, body=body, name=name, is_safe=False)


def edit(
    item_id: str, labels: Iterable[str] | None, tags: Iterable[str] | None, name: str | None = None
) -> Call[answers.EditAnswer]:
    """Change labels or tags of an item.

    Raises:
        TaxohashError: nothing is changed, or one text is given for several.
    """
    given = {"labels": labels, "tags": tags}
    said = {what: listed(what, texts) for what, texts in given.items() if texts is not None}
    if not said:
        raise TaxohashError(f"edit of item {item_id!r} changes nothing: give labels, tags or both")
    return Call(
        "the edit",
        "PATCH",
        "/v1/item",
        _as(answers.EditAnswer),
        _by_id(item_id),
        {"json": said},
        name or new_name(),
        False,
    )


def delete(item_id: str, name: str | None = None) -> Call[answers.DeleteAnswer]:
    """Delete an item."""
    reads = _as(answers.DeleteAnswer)
    return Call(
        "the deletion", "DELETE", "/v1/item", reads, _by_id(item_id), name=name or new_name(), is_safe=False
    )


# -- what is served ---------------------------------------------------------------------------------------------------

TAXONOMY = Call("the question", "GET", "/v1/taxonomy", lambda body: _as(answers.TaxonomyAnswer)(body))
GENERATION = Call("the question", "GET", "/v1/generation", lambda body: _as(answers.GenerationAnswer)(body))
GENERATIONS = Call(
    "the question", "GET", "/v1/generations", lambda body: _as(answers.GenerationsAnswer)(body)
)
STATS = Call("the question", "GET", "/v1/stats", lambda body: _as(answers.StatsAnswer)(body))


def lineage(generation: str, most: int) -> Call[list[dict[str, Any]]]:
    """Where a generation comes from, and those that it goes back to."""

    def reads(body: bytes) -> list[dict[str, Any]]:
        found = _object(body).get("lineage")
        if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
            raise NotAsDescribedError
        return found

    path = f"/v1/lineage/{quote(generation, safe='')}"
    return Call("the question", "GET", path, reads, [("most", str(most))])


# -- bodies -----------------------------------------------------------------------------------------------------------


def _as(kind: type[T]) -> Callable[[bytes], T]:
    return lambda body: read(kind, _object(body))


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAsDescribedError from None
    if not isinstance(told, dict):
        raise NotAsDescribedError
    return told


def problem_of(body: bytes) -> tuple[answers.Problem, str]:
    """A problem, and the id of its request.

    Raises:
        NotAsDescribedError: it is none.
    """
    told = _object(body)
    return read(answers.Problem, told), str(told.get("request_id", ""))


def _answer_or_refusal(told: Any) -> answers.SearchAnswer | answers.Refusal:
    if isinstance(told, dict) and "problem" in told:
        return read(answers.Problem, told["problem"]).refusal
    return read(answers.SearchAnswer, told)


def _query(query: Query) -> dict[str, Any]:
    match query:
        case ItemId(id=item_id):
            return {"id": dict(_by_id(item_id))["id"]}
        case Code(code=code):
            return {"code": code}
        case _:
            return {"image": base64.b64encode(bytes_of(query)).decode()}


def _entry(item: Loaded, file: str) -> dict[str, Any]:
    said: dict[str, Any] = {"id": item.id, "labels": list(item.labels), "tags": list(item.tags)}
    brought = {"code": item.code, "generation": item.generation} if item.picture is None else {"file": file}
    return said | brought


def _form(texts: Pairs, pictures: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """A form, whose texts stand before its files."""
    fields: dict[str, list[str]] = {}
    for name, text in texts:
        fields.setdefault(name, []).append(text)
    return {
        "data": fields,
        "files": [(name, ("picture", data, "application/octet-stream")) for name, data in pictures],
    }


def _by_id(item_id: str) -> list[tuple[str, str]]:
    """The parameter that names an item.

    Raises:
        TaxohashError: it is no text that can be sent.
    """
    if not isinstance(item_id, str) or not item_id:
        raise TaxohashError(f"item id is {item_id!r}: give 1 to 1024 bytes of UTF-8")
    try:
        item_id.encode()
    except UnicodeEncodeError:
        raise TaxohashError(f"item id {item_id!r} is no UTF-8: give 1 to 1024 bytes of it") from None
    return [("id", item_id)]
