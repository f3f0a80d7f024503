"""Collections of layout 3 as the release that had it made them, to be put into any server.

`layout3.json.gz` holds the keys of three collections, and what its face said was in them: `small` (three segments; items with
hostile ids, label sets, tags, URIs, thumbnails, some changed; generations g1, g2, g3 published one after the other, `half`
half coded, `begun` not at all, one discarded), `tall` (one segment of 4,100 rows, more than a chunk) and `empty`. It was made
with the code of revision 07fd7a2, and can only be made with that.
"""

import gzip
import json
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

from services.codestore.upgrade.layout3 import Commands

FILE = Path(__file__).with_suffix(".json.gz")


class RedisCommands:
    """Plain commands over a client of redis-py."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def command(self, *parts: str | bytes | int, key: str | None = None) -> Any:
        """The reply; redis-py finds the server of the key."""
        return self.client.execute_command(*parts)


@cache
def read() -> dict[str, Any]:
    """The file's content; do not change it."""
    found: dict[str, Any] = json.loads(gzip.decompress(FILE.read_bytes()))
    return found


def keys_of(collection: str) -> list[str]:
    """The keys of a collection."""
    tags = (f"{{{collection}}}", f"{{{collection}:")
    return [key for key in read()["keys"] if any(tag in key for tag in tags)]


def load(commands: Commands, collection: str) -> None:
    """Put a collection into a server, in place of one that is there."""
    for key in keys_of(collection):
        kind, value = read()["keys"][key]["type"], read()["keys"][key]["value"]
        commands.command("DEL", key, key=key)
        if kind == "string":
            commands.command("SET", key, b64decode(value), key=key)
        elif kind == "hash":
            commands.command("HSET", key, *(b64decode(part) for pair in value for part in pair), key=key)
        elif kind == "list":
            commands.command("RPUSH", key, *map(b64decode, value), key=key)
        elif kind == "set":
            commands.command("SADD", key, *map(b64decode, value), key=key)
        else:
            for entry, fields in value:
                commands.command("XADD", key, entry, *map(b64decode, fields), key=key)
