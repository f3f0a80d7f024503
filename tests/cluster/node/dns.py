"""The name server of a node: names of services and of pods behind headless ones, as CoreDNS tells them.

python -m tests.cluster.node.dns, within the node.
"""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.cluster.node import network
from tests.cluster.node.api import Api, Manifest

_A, _CNAME, _INTERNET = 1, 5, 1
_ANSWER = 0x8580  # an authoritative answer, as was desired
_SERVER_FAILURE, _NO_SUCH_NAME = 2, 3
_SECONDS = 2  # that an answer may be kept
_FRESH_SECONDS = 1.0

Table = Mapping[str, tuple[str, ...] | str]  # addresses of a name, or its other name


def table(services: Iterable[Manifest], endpoints: Iterable[Manifest]) -> Table:
    """What each name stands for: a service's address, those of the ready pods of a headless one, or a name outside."""
    found: dict[str, tuple[str, ...] | str] = {}
    ready = {_key(one): one.get("subsets") or [] for one in endpoints}
    for service in services:
        namespace, name = _key(service)
        host = f"{name}.{namespace}.svc.{network.DOMAIN}"
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            found[host] = spec["externalName"].rstrip(".").lower()
        elif spec.get("clusterIP") not in (None, "", "None"):
            found[host] = (spec["clusterIP"],)
        else:
            pods = [pod for part in ready.get((namespace, name), []) for pod in part.get("addresses") or []]
            if pods:
                found[host] = tuple(pod["ip"] for pod in pods)
            found |= {f"{pod['hostname']}.{host}": (pod["ip"],) for pod in pods if pod.get("hostname")}
    return found


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        number: of the message.
        name: in small letters, without the last dot.
        kind: of record.
        raw: the question as it came.
    """

    number: bytes
    name: str
    kind: int
    raw: bytes


def parse(message: bytes) -> Question:
    """The first question of a message.

    Raises:
        ValueError: it has none.
    """
    labels, at = [], 12
    while at < len(message) and (size := message[at]):
        labels.append(message[at + 1 : at + 1 + size].decode("latin-1"))
        at += size + 1
    if at + 5 > len(message):
        raise ValueError("a message without a whole question")
    kind = int.from_bytes(message[at + 1 : at + 3])
    return Question(message[:2], ".".join(labels).lower(), kind, message[12 : at + 5])


def answer(question: Question, known: Table | None) -> bytes:
    """The answer, by what is known; None: the API server could not be asked."""
    if known is None:
        return _message(question, _SERVER_FAILURE, [])
    found = known.get(question.name)
    if found is None:
        return _message(question, _NO_SUCH_NAME, [])
    if isinstance(found, str):
        further = known.get(found, ())
        addresses = () if isinstance(further, str) else further
        records = [_record(_HERE, _CNAME, _name(found))]
        records += [_record(_name(found), _A, socket.inet_aton(address)) for address in addresses]
        return _message(question, 0, records)
    asked = found if question.kind == _A else ()
    return _message(question, 0, [_record(_HERE, _A, socket.inet_aton(address)) for address in asked])


_HERE = b"\xc0\x0c"  # the name of the question


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(name: bytes, kind: int, data: bytes) -> bytes:
    return name + struct.pack(">HHIH", kind, _INTERNET, _SECONDS, len(data)) + data


def _message(question: Question, error: int, records: list[bytes]) -> bytes:
    head = struct.pack(">HHHHH", _ANSWER | error, 1, len(records), 0, 0)
    return question.number + head + question.raw + b"".join(records)


class Source:
    """The table, read again when it is a second old."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._read = 0.0
        self._table: Table | None = None

    def __call__(self) -> Table | None:
        with self._lock:
            if time.monotonic() - self._read > _FRESH_SECONDS:
                try:
                    self._table = table(
                        self._api.items("/api/v1/services"), self._api.items("/api/v1/endpoints")
                    )
                except OSError as error:
                    print(f"dns: the API server does not answer: {error}", flush=True)
                    self._table = None
                self._read = time.monotonic()
            return self._table


def _reply(message: bytes, source: Callable[[], Table | None]) -> bytes | None:
    try:
        return answer(parse(message), source())
    except ValueError:
        return None  # whoever asks so gets no answer


class _Datagrams(socketserver.BaseRequestHandler):
    source: Callable[[], Table | None]

    def handle(self) -> None:
        message, listener = self.request
        if told := _reply(message, self.source):
            listener.sendto(told, self.client_address)


class _Streams(socketserver.StreamRequestHandler):
    source: Callable[[], Table | None]

    def handle(self) -> None:
        size = int.from_bytes(self.rfile.read(2))
        if told := _reply(self.rfile.read(size), self.source):
            self.wfile.write(struct.pack(">H", len(told)) + told)


def main() -> None:
    source = Source(Api())
    _Datagrams.source = _Streams.source = staticmethod(source)
    streams = socketserver.ThreadingTCPServer((network.DNS, 53), _Streams)
    threading.Thread(target=streams.serve_forever, daemon=True).start()
    socketserver.ThreadingUDPServer((network.DNS, 53), _Datagrams).serve_forever()


if __name__ == "__main__":
    main()
