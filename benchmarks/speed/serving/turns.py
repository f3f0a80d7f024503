"""Hosts that take turns to be asked, so that whatever else the machine does hits all alike; and what came of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks.common.rows import Row
from benchmarks.speed.serving.client import Client
from benchmarks.speed.serving.hosts import Host
from taxohash.codes import Codes


@dataclass(frozen=True)
class Load:
    """How hosts are asked.

    Attributes:
        seconds: of a turn.
        rounds: turns of each.
    """

    client: Client
    seconds: float
    rounds: int


@dataclass
class Turns:
    """Of one host, a value a turn: milliseconds, requests a second, and microseconds of the CPU a request."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @classmethod
    def joined(cls, parts: "Sequence[Turns]") -> "Turns":
        """All of them, in their order."""
        return cls(
            *(
                sum(column, list[float]())
                for column in zip(*(vars(part).values() for part in parts), strict=True)
            )
        )

    def told(self) -> Row:
        """Best and median of each."""
        return {
            "p50_ms": _best(self.p50), "p99_ms": _best(self.p99), "cpu_us": _best(self.cpu),
            "per_second": [round(max(self.rate), 1), round(median(self.rate), 1)],
        }  # fmt: skip


def by_turns(
    hosts: Mapping[str, Host], requests: Mapping[str, Sequence[bytes]], connections: int, load: Load
) -> dict[str, Turns]:
    """What each host did on so many connections."""
    found = {name: Turns() for name in hosts}
    for _ in range(load.rounds):
        for name, host in hosts.items():
            before = host.cpu()
            answered = load.client.ask(host.address, requests[name], connections, load.seconds)
            own, spent = found[name], 1e3 * np.array(answered.seconds)
            own.p50.append(float(np.percentile(spent, 50)))
            own.p99.append(float(np.percentile(spent, 99)))
            own.rate.append(len(spent) / answered.elapsed)
            own.cpu.append(1e6 * (host.cpu() - before) / answered.asked)
    return found


def ratio(of: Turns, to: Turns, what: Callable[[Turns], list[float]]) -> list[float]:
    """Of what two hosts did one after the other: the least ratio of a round and the median."""
    ratios = [one / other for one, other in zip(what(of), what(to), strict=True)]
    return [round(min(ratios), 3), round(median(ratios), 3)]


def share(of: Turns, to: Turns) -> list[float]:
    """The same of requests a second: the greatest ratio and the median."""
    ratios = [one / other for one, other in zip(of.rate, to.rate, strict=True)]
    return [round(max(ratios), 3), round(median(ratios), 3)]


def by_code(codes: Codes) -> list[bytes]:
    """Searches by code as they go over the wire."""
    return [
        _request(json.dumps({"code": code.tobytes().hex()}).encode(), "application/json") for code in codes
    ]


def by_picture(pictures: Sequence[bytes], kind: str) -> list[bytes]:
    """Searches by picture as they go over the wire, a picture the body."""
    return [_request(picture, kind) for picture in pictures]


def _request(body: bytes, kind: str) -> bytes:
    head = f"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _best(values: list[float]) -> list[float]:
    return [round(min(values), 3), round(median(values), 3)]
