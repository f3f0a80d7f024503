"""API keys for tests, and the file that has their digests."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.retrieval.access import keys
from services.retrieval.access.keys import Key

YEAR = 365 * 86_400


def key_of(secret: str, name: str, role: str = "search", expires: float | None = YEAR, **more: Any) -> Key:
    """A key.

    Args:
        expires: in so many seconds; None: never.
    """
    now = time.time()
    until = None if expires is None else keys.utc(now + expires)
    digest = keys.digest_of(secret)
    return Key(name=name, role=role, digest=digest, created=keys.utc(now - YEAR), expires=until, **more)  # type: ignore[arg-type]  # any role


class Keyring:
    """A file of keys: one of each role, and one that has expired.

    Attributes:
        secrets: by name: search, write, admin and expired; `wrong` is in no file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.secrets = {name: keys.new_secret() for name in ("search", "write", "admin", "expired", "wrong")}
        self.keys = {role: key_of(self.secrets[role], role, role) for role in ("search", "write", "admin")}
        self.keys["expired"] = key_of(self.secrets["expired"], "expired", "admin", expires=-1)
        self.write()

    def write(self) -> None:
        self.path.write_text(keys.text_of(tuple(self.keys.values())))

    def headers(self, name: str | None) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.secrets[name]}"} if name else {}
