"""Answers of a node's name server."""

import socket
import struct
from typing import Any

import pytest

from tests.cluster.node import dns

A, AAAA = 1, 28


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec}


def endpoints(name: str, *addresses: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "subsets": [{"addresses": list(addresses)}]}


TABLE = dns.table(
    [
        service("retrieval", clusterIP="10.96.3.4"),
        service("codestore", clusterIP="None"),
        service("none-ready", clusterIP="None"),
        service("outside", type="ExternalName", externalName="Redis.example.org."),
        service("elsewhere", type="ExternalName", externalName="retrieval.shop.svc.cluster.local"),
    ],
    [
        endpoints("codestore", {"ip": "10.244.0.2", "hostname": "codestore-0"}, {"ip": "10.244.0.3"}),
        {"metadata": {"namespace": "shop", "name": "none-ready"}, "subsets": None},
    ],
)


def question(name: str, kind: int = A) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        b"\x12\x34" + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)
    )


def asked(name: str, kind: int = A) -> tuple[int, list[str]]:
    """Code of the answer, and the addresses in it."""
    message = question(name, kind)
    told = dns.answer(dns.parse(message), TABLE)
    number, flags, questions, answers = struct.unpack(">HHHH", told[:8])
    assert (number, questions) == (0x1234, 1)
    assert told[12 : len(message)] == message[12:]
    rest, found = told[len(message) :], []
    for _ in range(answers):
        size = 2 if rest[:2] == b"\xc0\x0c" else rest.index(b"\0") + 1
        kind_of, _, _, length = struct.unpack(">HHIH", rest[size : size + 10])
        data, rest = rest[size + 10 : size + 10 + length], rest[size + 10 + length :]
        found.append(socket.inet_ntoa(data) if kind_of == A else str(data))
    assert rest == b""
    return flags & 15, found


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("retrieval.shop", ["10.96.3.4"]),
        ("RETRIEVAL.shop", ["10.96.3.4"]),
        ("codestore.shop", ["10.244.0.2", "10.244.0.3"]),
        ("codestore-0.codestore.shop", ["10.244.0.2"]),
    ],
)
def test_services_and_their_pods(name: str, addresses: list[str]) -> None:
    assert asked(f"{name}.svc.cluster.local") == (0, addresses)


@pytest.mark.parametrize(
    "name", ["codestore-1.codestore.shop", "none-ready.shop", "retrieval.market", "retrieval"]
)
def test_there_are_no_others(name: str) -> None:
    assert asked(f"{name}.svc.cluster.local") == (3, [])
    assert asked("example.org") == (3, [])


def test_a_name_that_is_there_has_no_address_of_another_kind() -> None:
    assert asked("retrieval.shop.svc.cluster.local", AAAA) == (0, [])


def test_names_of_other_names() -> None:
    code, found = asked("outside.shop.svc.cluster.local")
    assert (code, found) == (0, [str(b"\x05redis\x07example\x03org\0")])
    code, found = asked("elsewhere.shop.svc.cluster.local")
    assert (code, found[1:]) == (0, ["10.96.3.4"])


def test_without_an_api_server_it_failed() -> None:
    told = dns.answer(dns.parse(question("retrieval.shop.svc.cluster.local")), None)
    assert told[3] & 15 == 2


@pytest.mark.parametrize("message", [b"", b"\x12\x34", question("retrieval.shop")[:-3], b"x" * 40])
def test_what_is_no_question_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="question"):
        dns.parse(message)
