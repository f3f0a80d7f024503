"""Which server holds which slot."""

import random
import re
from binascii import crc_hqx
from typing import Any

from services.codestore.connection.address import Address
from services.codestore.connection.errors import ErrorReply, LinkError

SLOTS = 16_384


def slot_of(key: str) -> int:
    """The slot of a key: CRC-16/XMODEM of its hash tag, or of all of it (Redis Cluster specification)."""
    data = key.encode()
    start = data.find(b"{")
    end = data.find(b"}", start + 1)
    if start >= 0 and end > start + 1:
        data = data[start + 1 : end]
    return crc_hqx(data, 0) % SLOTS


class Topology:
    """Servers by slot: what a cluster told, and until then, or where there is no cluster, the seed."""

    def __init__(self, seed: Address) -> None:
        self._seed = seed
        self._by_slot = [seed] * SLOTS

    def holder(self, slot: int) -> Address:
        """The server to ask about a slot. One that is no holder answers who is."""
        return self._by_slot[slot]

    @property
    def primaries(self) -> list[Address]:
        """The servers that hold slots."""
        return sorted(set(self._by_slot), key=str)

    def shuffled(self) -> list[Address]:
        """All servers to ask for the map, the seed last: its name may lead to others by now."""
        known = [address for address in self.primaries if address != self._seed]
        return [*random.sample(known, len(known)), self._seed]

    def learn(self, ranges: Any, told_by: Address) -> None:
        """Take the reply to CLUSTER SLOTS. About a slot that nobody holds, ask the one who told.

        Raises:
            LinkError: it is none.
        """
        by_slot = [told_by] * SLOTS
        try:
            for first, last, (host, port, *_), *_ in ranges:
                holder = _server(told_by, (host or b"").decode(), port)
                by_slot[first : last + 1] = [holder] * (last + 1 - first)
        except (TypeError, ValueError, AttributeError):
            raise LinkError("it does not tell its slots as Redis does", "correct the address") from None
        self._by_slot = by_slot[:SLOTS]

    def redirect(self, reply: ErrorReply, told_by: Address) -> Address:
        """The server that a MOVED or ASK names; MOVED is remembered.

        Raises:
            LinkError: it names none.
        """
        found = re.fullmatch(r"(MOVED|ASK) ([0-9]{1,5}) (.*):([0-9]{1,5})", reply.text)
        if not found or int(found[2]) >= SLOTS:
            raise LinkError("it redirects to nowhere", "see its log")
        server = _server(told_by, found[3], int(found[4]))
        if found[1] == "MOVED":
            self._by_slot[int(found[2])] = server
        return server


def _server(told_by: Address, host: str, port: int) -> Address:
    """A server that gives no host, or cannot name it ("?"), is on that of the one who told."""
    return told_by.at(told_by.host if host in ("", "?") else host, port)
