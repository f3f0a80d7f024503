"""Who backfills what: leases with fencing tokens, a pause for all, and how far each has come.

A name is held by one runner at a time: a generation by who encodes it, FOLLOWING by who goes on looking for work. A lease ends
by itself, and each that is new has a token above all before it, which its writes carry; see lua/backfill.lua.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from services.codestore.collection import CollectionReader
from services.codestore.connection import Call
from services.codestore.keys import backfill_key, check_name
from taxohash.errors import TaxohashError

FOLLOWING = "*"  # no generation's id
_MOST_SECONDS = 3600


@dataclass(frozen=True)
class Lease:
    """Who holds something.

    Attributes:
        token: rises from runner to runner.
        seconds: for which it is held, if it is not renewed.
    """

    runner: str
    token: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """How far a runner is with a generation.

    Attributes:
        looked: items looked at in this pass.
        speed: of them a second, of late; None where it is not known yet.
        when: Unix time in seconds.
    """

    runner: str
    looked: int
    coded: int
    quarantined: int
    speed: float | None
    when: float


@dataclass(frozen=True)
class Trying:
    """What a process encodes, in case that ends it. Ids, each with how many processes have ended while they encoded it alone.

    Attributes:
        now: being encoded.
        later: that an earlier process left, and that were not tried again yet.
    """

    now: Mapping[str, int] = field(default_factory=dict)
    later: Mapping[str, int] = field(default_factory=dict)

    def left(self) -> dict[str, int]:
        """What is suspect where this is what the process left."""
        return {
            **self.later,
            **{item_id: deaths + (len(self.now) == 1) for item_id, deaths in self.now.items()},
        }


class Turns(CollectionReader):
    """What backfills of a collection tell each other."""

    def hold(self, collection: str, name: str, runner: str, seconds: float) -> Lease:
        """Hold a generation, or FOLLOWING, for so long from now, again to renew it. Whose it is: this runner's, or another's."""
        if name != FOLLOWING:
            check_name("generation id", name)
        if not runner.isprintable() or not 1 <= len(runner) <= 200:
            raise TaxohashError(f"runner {runner[:60]!r} is no name: use 1 to 200 characters")
        if not 0 < seconds <= _MOST_SECONDS:  # not a number compares false
            raise TaxohashError(f"{name} cannot be held for {seconds!r} seconds: give up to {_MOST_SECONDS}")
        keys = (backfill_key(check_name("collection", collection)),)
        holder, token, left = self._call(Call("hold", keys, (name, runner, round(seconds * 1e6))))
        return Lease(holder.decode(), token, left / 1e6)

    def let_go(self, collection: str, name: str, runner: str) -> None:
        """Hold it no longer; nothing happens where another does."""
        self._call(Call("let_go", (backfill_key(check_name("collection", collection)),), (name, runner)))

    def held(self, collection: str) -> dict[str, Lease]:
        """Leases that have not ended, by name."""
        seconds, microseconds = self._connection.command("TIME", key=backfill_key(collection))
        now, found = int(seconds) + int(microseconds) / 1e6, {}
        for name, value in self._backfill_fields(collection).items():
            if name.startswith("lease:"):
                runner, token, till = value.split(b"\xff")
                if (left := int(till) / 1e6 - now) > 0:
                    found[name.partition(":")[2]] = Lease(runner.decode(), int(token), left)
        return found

    def pause(self, collection: str, who: str) -> None:
        """Have all backfills of the collection wait, in somebody's name, until `resume`."""
        key = backfill_key(check_name("collection", collection))
        self._connection.command("HSET", key, "paused", who or "somebody", key=key)

    def resume(self, collection: str) -> None:
        """Have them go on."""
        key = backfill_key(check_name("collection", collection))
        self._connection.command("HDEL", key, "paused", key=key)

    def paused(self, collection: str) -> str:
        """Who paused them; empty where nobody did."""
        key = backfill_key(check_name("collection", collection))
        return (self._connection.command("HGET", key, "paused", key=key) or b"").decode()

    def tell_progress(self, collection: str, generation_id: str, progress: Progress) -> None:
        """Let others see how far one is."""
        key, name = backfill_key(collection), f"progress:{check_name('generation id', generation_id)}"
        self._connection.command("HSET", key, name, json.dumps(asdict(progress)), key=key)

    def progress(self, collection: str) -> Mapping[str, Progress]:
        """What was told last, by generation."""
        return {
            name.partition(":")[2]: Progress(**json.loads(value))
            for name, value in self._backfill_fields(collection).items()
            if name.startswith("progress:")
        }

    def tell_trying(self, collection: str, generation_id: str, trying: Trying) -> None:
        """Note what is being encoded from now on, so that it is known if the process does not live to note anything else."""
        key, name = backfill_key(collection), f"trying:{check_name('generation id', generation_id)}"
        if trying == Trying():
            self._connection.command("HDEL", key, name, key=key)
        else:
            self._connection.command("HSET", key, name, json.dumps(asdict(trying)), key=key)

    def trying(self, collection: str, generation_id: str) -> Trying:
        """What `tell_trying` was told last."""
        key, name = backfill_key(collection), f"trying:{check_name('generation id', generation_id)}"
        return Trying(**json.loads(self._connection.command("HGET", key, name, key=key) or b"{}"))

    def _backfill_fields(self, collection: str) -> dict[str, bytes]:
        key, cursor = backfill_key(check_name("collection", collection)), b"0"
        found: dict[str, bytes] = {}
        while True:
            cursor, flat = self._connection.command("HSCAN", key, cursor, "COUNT", 100, key=key)
            found |= {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
            if cursor == b"0":
                return found
