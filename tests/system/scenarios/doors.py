"""The doors to what is served: HTTP, both clients, and the engine in the test's process. Each answers a scenario's calls alike.

An answer is what JSON has of it, without what differs from one call to the next; what is refused is a Refused of the one status, word
and sentence.
"""

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
import numpy as np

from services.codestore import CodeStore, Item, ItemLabels, Token
from services.codestore.follower.follower import Follower
from services.codestore.pictures import Pictures
from services.codestore.pictures.store import digest_of
from services.retrieval.bodies import Form
from services.retrieval.engine import Engine
from services.retrieval.items.labelled import numbers_of
from services.retrieval.items.made import given_code
from services.retrieval.items.sent import draft_of
from services.retrieval.query import ById, ByImage, Query, search_of
from services.retrieval.schemas.items import Described
from services.retrieval.schemas.search import Wishes
from services.retrieval.tokens import parsed
from services.web.refused import RefusedError
from taxohash.client import Code, ItemId, Refusal, RequestRefusedError
from taxohash.errors import TaxohashError
from taxohash.images import decode, pixel_hash, read_pixels
from taxohash.images.thumbnails import thumbnail

JSON = dict[str, Any]
T = TypeVar("T")
SECONDS = 30.0
_MOST = 1000  # answers, see TAXOHASH_MAX_K
# What each call has of its own, and of a problem what stands in its type as well.
_CHANGING = (
    "took_ms", "age_seconds", "timings_ms", "request_id", "token", "updated", "links", "pictures", "title",
)  # fmt: skip


class Refused(Exception):  # noqa: N818  # an answer as well
    """What a door does not do, and why."""

    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(status, reason, sentence)
        self.status, self.reason, self.sentence = status, reason, sentence


class Door(Protocol):
    """What a scenario calls. Queries are pictures (bytes), `ItemId`s and `Code`s."""

    def search(self, query: Any, **wishes: Any) -> JSON: ...
    def several(self, queries: Sequence[Any], **wishes: Any) -> list[JSON]: ...
    def similar(self, item_id: str, **wishes: Any) -> JSON: ...
    def encode(self, picture: bytes) -> JSON: ...
    def put(self, item_id: str, picture: bytes | None = None, **said: Any) -> tuple[JSON, str]: ...
    def get(self, item_id: str, token: str) -> JSON: ...
    def delete(self, item_id: str) -> str: ...


def steady(told: Any) -> Any:
    """What does not change from one call to the next."""
    if isinstance(told, Mapping):
        return {name: steady(value) for name, value in told.items() if name not in _CHANGING}
    return [steady(one) for one in told] if isinstance(told, list | tuple) else told


class Http:
    """Plain requests, pictures in JSON."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=SECONDS, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def search(self, query: Any, **wishes: Any) -> JSON:
        return self._told("POST", "/v1/search", json=_fields(query) | wishes)

    def several(self, queries: Sequence[Any], **wishes: Any) -> list[JSON]:
        found = self._told("POST", "/v1/search", json={"queries": [_fields(one) for one in queries]} | wishes)
        return list(found["answers"])

    def similar(self, item_id: str, **wishes: Any) -> JSON:
        return self._told("GET", "/v1/similar", params={"id": item_id, **wishes})

    def encode(self, picture: bytes) -> JSON:
        return self._told("POST", "/v1/encode?weights=true", json=_fields(picture))

    def put(self, item_id: str, picture: bytes | None = None, **said: Any) -> tuple[JSON, str]:
        body = (_fields(picture) if picture is not None else {}) | said
        whole = self._whole("PUT", "/v1/item", params={"id": item_id}, json=body)
        return steady(whole), whole["token"]

    def get(self, item_id: str, token: str) -> JSON:
        return self._told("GET", "/v1/item", params={"id": item_id, "token": token})

    def delete(self, item_id: str) -> str:
        return str(self._whole("DELETE", "/v1/item", params={"id": item_id})["token"])

    def _told(self, *words: Any, **more: Any) -> JSON:
        found: JSON = steady(self._whole(*words, **more))
        return found

    def _whole(self, *words: Any, **more: Any) -> JSON:
        answer = self._http.request(*words, **more)
        told: JSON = answer.json()
        if answer.status_code >= 400:
            raise Refused(answer.status_code, told["type"].removeprefix("urn:taxohash:"), told["detail"])
        return told


class Typed:
    """`Client`, or `AsyncClient` whose calls are awaited. What is typed is what the answer had."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def search(self, query: Any, **wishes: Any) -> JSON:
        match query:
            case ItemId(id=item_id):
                return self._told(lambda: self._client.search(id=item_id, **wishes))
            case Code(code=code):
                return self._told(lambda: self._client.search(code=code, **wishes))
            case _:
                return self._told(lambda: self._client.search(query, **wishes))

    def several(self, queries: Sequence[Any], **wishes: Any) -> list[JSON]:
        found = self._asked(lambda: self._client.search_many(queries, **wishes))
        return [
            {"problem": {"status": one.status, "type": f"urn:taxohash:{one.reason}", "detail": one.sentence}}
            if isinstance(one, Refusal)
            else _raw(one)
            for one in found
        ]

    def similar(self, item_id: str, **wishes: Any) -> JSON:
        return self._told(lambda: self._client.similar(item_id, **wishes))

    def encode(self, picture: bytes) -> JSON:
        found: JSON = steady(
            dataclasses.asdict(self._asked(lambda: self._client.encode(picture, weights=True)))
        )
        return found

    def put(self, item_id: str, picture: bytes | None = None, **said: Any) -> tuple[JSON, str]:
        found = self._asked(lambda: self._client.put(item_id, picture, **said))
        told = {name: getattr(found, name) for name in ("id", "generation", "code", "new")}
        return told, found.token

    def get(self, item_id: str, token: str) -> JSON:
        return self._told(lambda: self._client.get(item_id, token=token))

    def delete(self, item_id: str) -> str:
        return str(self._asked(lambda: self._client.delete(item_id)).token)

    def _told(self, call: Callable[[], Any]) -> JSON:
        return _raw(self._asked(call))

    def _asked(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except RequestRefusedError as error:
            raise Refused(error.status, error.reason, str(error).partition(": ")[2]) from None


class InProcess:
    """The engine over a follower of its own, and the store without a service."""

    def __init__(
        self, engine: Engine, follower: Follower, store: CodeStore, collection: str, pictures: Path
    ) -> None:
        self._engine, self._follower = engine, follower
        self._store, self._collection = store, collection
        self._pictures = Pictures.open(pictures)

    def search(self, query: Any, **wishes: Any) -> JSON:
        return self._each(_fields(query) | wishes)[0]()

    def several(self, queries: Sequence[Any], **wishes: Any) -> list[JSON]:
        found = []
        for one in self._each({"queries": [_fields(query) for query in queries]} | wishes):
            try:
                found.append(one())
            except Refused as refused:
                kind = f"urn:taxohash:{refused.reason}"
                found.append(
                    {"problem": {"status": refused.status, "type": kind, "detail": refused.sentence}}
                )
        return found

    def similar(self, item_id: str, **wishes: Any) -> JSON:
        return self.search(ItemId(item_id), **wishes)

    def encode(self, picture: bytes) -> JSON:
        query = self._of(ByImage(picture))
        assert query.outputs is not None
        found: JSON = steady(self._engine.describe_code(query.outputs, weights=True))
        return found

    def put(self, item_id: str, picture: bytes | None = None, **said: Any) -> tuple[JSON, str]:
        body = bytearray(json.dumps((_fields(picture) if picture is not None else {}) | said).encode())
        draft = _refusing(lambda: draft_of(item_id, body, Form(is_json=True), Described()))
        labels = _refusing(lambda: numbers_of(self._engine, draft.labels))
        digests = ["", ""]
        if draft.picture is None:
            code = _refusing(lambda: given_code(self._engine, draft))
        else:
            code = self._of(ByImage(draft.picture)).code
            digests = self._pictures.put_many([draft.picture, thumbnail(draft.picture)])
        item = Item(item_id, labels, tags=draft.tags, picture=digests[0], thumbnail=digests[1])
        written = self._store.upsert(self._collection, [item], {self._engine.id: code})
        told = {"id": item_id, "generation": self._engine.id, "code": code[0].tobytes().hex()}
        return told | {"new": written.results == ("added",)}, str(written.token)

    def get(self, item_id: str, token: str) -> JSON:
        self._wait(token)
        (found,) = self._store.held_items(self._collection, [item_id], self._engine.id)
        if found is None:
            raise Refused(404, "item", f"there is no item {item_id!r}: use an id from a search")
        numbers = ItemLabels.of(np.array(found.item.labels, np.int32), np.array([len(found.item.labels)]))
        (described,) = self._engine.describe_items([item_id], numbers)
        return {
            "id": item_id,
            "generation": self._engine.id,
            "state": "searchable",
            "reason": None,
            "code": found.code.tobytes().hex(),
            "label_path": described["label_path"],
            "label_paths": described["label_paths"],
            "tags": list(found.item.tags),
            "metadata": dict(found.item.metadata),
            "origin": found.item.origin,
        }

    def delete(self, item_id: str) -> str:
        return str(self._store.delete(self._collection, [item_id]).token)

    def _each(self, fields: JSON) -> list[Callable[[], JSON]]:
        asked = _refusing(lambda: search_of(json.dumps(fields).encode(), Form(is_json=True), [], _MOST))
        if asked.wishes.token:
            self._wait(asked.wishes.token)
        if asked.wishes.generation not in (None, self._engine.id):
            raise Refused(409, "generation", "")
        return [lambda query=query: self._found(query, asked.wishes) for query in asked.queries]  # type: ignore[misc]

    def _found(self, query: Query | RefusedError, wishes: Wishes) -> JSON:
        def found() -> JSON:
            if isinstance(query, RefusedError):
                raise query
            sought = self._of(query)
            answer = self._engine.search(sought, wishes)
            if isinstance(query, ByImage) and (same := self._same(query.image, sought, wishes)):
                answer = self._engine.search(sought, wishes, same)
            return answer

        told: JSON = steady(_refusing(found))
        return told

    def _of(self, query: Query) -> Any:
        match query:
            case ByImage(image=image):
                try:
                    pixels = read_pixels(image, self._engine.generation.preprocessing)
                except TaxohashError as error:
                    raise Refused(422, "image", str(error)) from None
                return self._engine.of_picture(pixels)
            case ById(id=item_id):
                return self._engine.of_item(item_id)
            case _:
                return self._engine.of_code(query.code)

    def _same(self, image: bytes, sought: Any, wishes: Wishes) -> list[int]:
        """Rows of items with the very picture."""
        pixels = pixel_hash(decode(image), self._engine.generation.preprocessing.reader)
        alike = self._engine.alike(sought, wishes, pixels)
        items = self._store.items(self._collection, [*alike], self._engine.id)
        own = {digest_of(image), pixels}
        return [alike[item.id] for item in items if item and not own.isdisjoint(item.looks)]

    def _wait(self, token: str) -> None:
        asked: Token = _refusing(lambda: parsed(token))
        assert self._follower.wait(asked, SECONDS)


def _fields(query: Any) -> JSON:
    match query:
        case ItemId(id=item_id):
            return {"id": item_id}
        case Code(code=code):
            return {"code": code}
        case _:
            return {"image": base64.b64encode(query).decode()}


def _raw(answer: Any) -> JSON:
    """An answer of a client as it came; each of its typed fields says the same."""
    for name, value in dataclasses.asdict(answer).items():
        if name in answer.raw and name != "raw":
            assert _holds(answer.raw[name], value), name
    found: JSON = steady(answer.raw)
    return found


def _holds(raw: Any, typed: Any) -> bool:
    """Whether a typed value has all that it knows of a raw one, and nothing else."""
    if isinstance(raw, Mapping):
        return all(_holds(raw[name], typed[name]) for name in raw.keys() & typed.keys())
    if isinstance(raw, list):
        return len(raw) == len(typed) and all(map(_holds, raw, typed))
    return bool(raw == typed)


def _refusing(call: Callable[[], T]) -> T:
    try:
        return call()
    except RefusedError as error:
        raise Refused(error.status, error.reason, str(error)) from None
