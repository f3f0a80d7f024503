"""A constant load through the Service while a scene happens, whose answers are kept to be looked through afterwards."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.node import Node
from tests.cluster.pods import wait
from tests.cluster.programs import environment, python

RATE, WRITE_RATE = 15.0, 5.0  # searches and writes a second
_FIRST_SECONDS = 60.0
_LAST_SECONDS = 60.0


@dataclass(frozen=True)
class Query:
    """What is asked: a search by a picture or by a code, that an item is put with a code of a generation, or that one is told.

    Attributes:
        code: in hexadecimal.
        put, get: id of the item.
    """

    picture: bytes = b""
    code: str = ""
    generation: str = ""
    put: str = ""
    get: str = ""

    def words(self) -> dict[str, str]:
        """As the client reads it."""
        own = {"code": self.code, "generation": self.generation, "put": self.put, "get": self.get}
        own["picture"] = base64.b64encode(self.picture).decode()
        return {name: value for name, value in own.items() if value}


@dataclass(frozen=True)
class Sample:
    """One request.

    Attributes:
        outcome: the status, or why there is no answer.
        at: when it was sent, as a Unix time.
        seconds: until the answer was there.
        again: the answer asks to send it again after a while.
    """

    query: Query
    outcome: str
    at: float
    seconds: float
    body: bytes
    again: bool = False

    @property
    def answer(self) -> Any:
        """What was answered."""
        return json.loads(self.body)


class Load:
    """What a load has got so far."""

    def __init__(self, queries: Sequence[Query], file: Path) -> None:
        self._queries, self._file = queries, file

    def samples(self) -> list[Sample]:
        """Those that have ended, in the order of their end."""
        lines = self._file.read_text().splitlines()
        return [self._sample(json.loads(line)) for line in lines if line.endswith("}")]

    def acknowledged(self) -> list[str]:
        """Items whose put was."""
        found = [sample.query.put for sample in self.samples() if sample.outcome in ("200", "201")]
        return list(dict.fromkeys(found))

    def refused(self) -> int:
        """How many puts were not acknowledged."""
        return sum(sample.outcome not in ("200", "201") for sample in self.samples())

    def _sample(self, told: dict[str, Any]) -> Sample:
        query = self._queries[told["query"]]
        return Sample(
            query, told["outcome"], told["at"], told["seconds"], told["body"].encode(), told["again"]
        )


@contextmanager
def load(
    node: Node, url: str, key: str, queries: Sequence[Query], file: Path, rate: float = RATE
) -> Iterator[Load]:
    """Ask for as long as the block, which begins when there is an answer."""
    client, found = _started(node, url, key, queries, file, rate, once=False)
    try:
        wait(found.samples, "an answer to the load", _FIRST_SECONDS)
        yield found
    finally:
        client.terminate()
        client.wait(_LAST_SECONDS)


def ask_once(node: Node, url: str, key: str, queries: Sequence[Query], file: Path) -> list[Sample]:
    """The answers to all, each asked once."""
    client, found = _started(node, url, key, queries, file, 10 * RATE, once=True)
    client.wait(len(queries) / RATE + _LAST_SECONDS)
    return found.samples()


def for_a_while(seconds: float) -> None:
    """Let the load go on."""
    time.sleep(seconds)


def _started(
    node: Node, url: str, key: str, queries: Sequence[Query], file: Path, rate: float, once: bool
) -> "tuple[subprocess.Popen[str], Load]":
    asked = [query.words() for query in queries]
    told = {"url": url, "key": key, "rate": rate, "queries": asked, "once": once}
    with file.open("w") as out:
        client = node.start(
            *python("tests.cluster.client"), stdin=subprocess.PIPE, stdout=out, env=environment({})
        )
    assert client.stdin
    client.stdin.write(json.dumps(told))
    client.stdin.close()
    return client, Load(queries, file)
