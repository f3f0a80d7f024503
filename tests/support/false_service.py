"""Answers of a service that a real one cannot be made to give when a test wants them."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx

URL = "http://service.test:3000"
LINKS = {"item": "/v1/item?id=a", "similar": "/v1/similar?id=a", "thumbnail": None, "image": None}
ANSWER: dict[str, Any] = {
    "generation": "8c7d0f7f2a31",
    "bits": 8,
    "code": "ff",
    "query": {"kind": "picture"},
    "within": None,
    "ranking": "weighted",
    "majority": [{"name": "warm", "items": 1}],
    "results": [
        {
            "id": "one",
            "distance": 3,
            "label_path": ["warm"],
            "label_paths": [["warm"]],
            "tags": ["summer"],
            "thumbnail": "/v1/thumbnail?id=one",
            "levels_agreed": 1,
        }
    ],
    "took_ms": 1,
    "age_seconds": None,
}

Reply = httpx.Response | Exception


def answer(told: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=told)


def problem(status: int, reason: str = "busy", **headers: str) -> httpx.Response:
    told = {"type": f"urn:taxohash:{reason}", "title": "t", "status": status, "detail": "it cannot be"}
    sent = {"content-type": "application/problem+json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return httpx.Response(status, content=json.dumps(told | {"request_id": "r1"}), headers=sent)


def put_answer(item_id: str = "a", token: str = "4f1d09aa.0-1", new: bool = True) -> dict[str, Any]:
    return {"id": item_id, "generation": "g", "code": "ff", "new": new, "token": token, "links": LINKS}


class FalseService:
    """Gives replies in turn, and keeps the requests; or what a function makes of each request."""

    def __init__(self, replies: Iterable[Reply] | Callable[[httpx.Request], Reply]) -> None:
        self.requests: list[httpx.Request] = []
        self._replies: Iterator[Reply] | None = None if callable(replies) else iter(replies)
        self._make = replies if callable(replies) else None

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        if self._make is not None:
            reply = self._make(request)
        else:
            assert self._replies is not None
            reply = next(self._replies)
        if isinstance(reply, Exception):
            raise reply
        return reply
