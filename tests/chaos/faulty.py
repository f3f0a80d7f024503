"""Stores that are wrong once in so many writes: the harness must tell each of them from a right one."""

import random
from collections.abc import Sequence
from typing import Any, Literal

from services.codestore.connection import APPLIED, Call, Durability
from tests.chaos.invariants import INDEX

Defect = Literal["drops", "doubles", "resurrects", "mixes"]
DEFECTS: tuple[Defect, ...] = ("drops", "doubles", "resurrects", "mixes")

# Of a call of write_items, after incarnation, writer and number: see lua/items.lua.
_IDS, _GENERATIONS = 3, 12


class FaultyConnection:
    """A connection that does one wrong thing.

    Args:
        one_in: of so many writes of a segment one is done wrong.

    Attributes:
        done: how often it was.
    """

    def __init__(self, connection: Any, defect: Defect, one_in: int, seed: int) -> None:
        self.done = 0
        self._connection = connection
        self._defect = defect
        self._one_in = one_in
        self._chance = random.Random(seed)
        self._puts: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def call_all(self, calls: Sequence[Call], durability: Durability = APPLIED) -> list[Any]:
        """Make the calls, or not quite."""
        return [self._wrong(call, durability) or self._made(call, durability) for call in calls]

    def _wrong(self, call: Call, durability: Durability) -> Any:
        """The reply to a call that was done wrong; None where it is not."""
        wanted = "delete_items" if self._defect == "resurrects" else "write_items"
        if call.function == "write_items":
            self._puts = [*self._puts[-500:], call]
        if call.function != wanted or self._chance.randrange(self._one_in):
            return None
        ids = bytes(call.args[_IDS])  # type: ignore[arg-type]
        if self._defect == "drops":
            self.done += 1
            return [1, b"r" * ids.count(b"\xff")]
        if self._defect == "doubles":
            field = INDEX + ids.split(b"\xff")[0]
            self.done += self._connection.command("HDEL", call.keys[0], field, key=call.keys[0])
            return None
        if self._defect == "mixes":
            return self._made(self._mixed(call), durability)
        reply = self._made(call, durability)
        old = next((put for put in reversed(self._puts) if self._touches(put, call)), None)
        if old is not None:
            self.done += 1
            self._made(
                Call(old.function, old.keys, (old.args[0], "another", self.done, *old.args[3:])), APPLIED
            )
        return reply

    def _made(self, call: Call, durability: Durability) -> Any:
        return self._connection.call_all([call], durability)[0]

    def _touches(self, put: Call, deletion: Call) -> bool:
        ids = set(bytes(put.args[_IDS]).split(b"\xff")[:-1])  # type: ignore[arg-type]
        return put.keys == deletion.keys and bool(ids & set(bytes(deletion.args[_IDS]).split(b"\xff")))  # type: ignore[arg-type]

    def _mixed(self, call: Call) -> Call:
        """With the codes of one generation under the name of another of the same width."""
        args = list(call.args)
        for at in range(_GENERATIONS + 2, len(args), 3):
            for other in range(at + 3, len(args), 3):
                if args[at - 1] == args[other - 1]:
                    args[at], args[other] = args[other], args[at]
                    self.done += 1
                    return Call(call.function, call.keys, args)
        return call
