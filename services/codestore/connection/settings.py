"""What a server says of its settings."""

import re
from typing import Any

from services.codestore.connection.session import Session

_WAITAOF_SINCE = (7, 2)  # Valkey began with it


def has_waitaof(session: Session) -> bool:
    """The server can tell when a write is on its disk."""
    numbers = re.findall(rb"\d+", session.server.get(b"version", b""))[:2]
    return tuple(int(number) for number in numbers) >= _WAITAOF_SINCE


def fields(reply: Any) -> dict[str, str]:
    """Fields of an INFO reply; none where the account may not ask."""
    if not isinstance(reply, bytes):
        return {}
    lines = reply.decode("utf-8", "replace").splitlines()
    return {name: value for name, found, value in (line.partition(":") for line in lines) if found}


def setting(reply: Any) -> str:
    """Value in a CONFIG GET reply of one setting; "unknown" where the account may not ask."""
    if not isinstance(reply, dict) or not reply:
        return "unknown"
    return str(next(iter(reply.values())).decode())
