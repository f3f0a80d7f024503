"""The server-side function library, named after its own content so that versions can share a server."""

import hashlib
import re
from pathlib import Path

# In the order in which they use each other.
_PARTS = ("fields", "rows", "items", "reads", "upkeep", "collection")
_FOLDER = Path(__file__).with_name("lua")


def _read(part: str) -> str:
    return (_FOLDER / f"{part}.lua").read_text(encoding="utf-8")


_PROGRAM = "\n".join(_read(part) for part in _PARTS)
_BODY = f"{_PROGRAM}\n{_read('register')}"

VERSION = hashlib.sha256(_BODY.encode()).hexdigest()[:12]
LIBRARY = f"taxohash_{VERSION}"
SOURCE = f"#!lua name={LIBRARY}\nlocal VERSION = '{VERSION}'\n{_BODY}"

# Functions that work where memory is full, even when the library is lost and cannot be loaded.
FREEING = frozenset(re.findall(r"register\('(\w+)', \w+, {'allow-oom'}\)", _read("register")))


def full_name(function: str) -> str:
    """Name under which the server knows a function of this version."""
    return f"{function}_{VERSION}"


def script(function: str) -> str:
    """One of FREEING as a script for EVAL, which needs no room for the library."""
    return f"#!lua flags=allow-oom\n{_PROGRAM}\nreturn {function}(KEYS, ARGV)"
