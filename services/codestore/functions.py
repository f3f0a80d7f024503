"""The server-side function library, named after its own content so that versions can share a server."""

import hashlib
import re
from pathlib import Path

# In the order in which they use each other.
_PARTS = ("fields", "rows", "items", "reads", "upkeep", "collection", "backfill")
_FOLDER = Path(__file__).with_name("lua")


def _read(part: str) -> str:
    return (_FOLDER / f"{part}.lua").read_text(encoding="utf-8")


_PROGRAM = "\n".join(_read(part) for part in _PARTS)
_BODY = f"{_PROGRAM}\n{_read('register')}"

VERSION = hashlib.sha256(_BODY.encode()).hexdigest()[:12]
LIBRARY = f"taxohash_{VERSION}"
SOURCE = f"#!lua name={LIBRARY}\nlocal VERSION = '{VERSION}'\n{_BODY}"

# The functions with their flags. Those that have one work where memory is full: they write nothing, or give room back.
_FLAGS = dict(re.findall(r"register\('(\w+)', \w+, {'([\w-]+)'}\)", _read("register")))
FREEING = frozenset(_FLAGS)


def full_name(function: str) -> str:
    """Name under which the server knows a function of this version."""
    return f"{function}_{VERSION}"


def script(function: str) -> str:
    """One of FREEING as a script for EVAL: where memory is full and the library lost, it cannot be loaded.

    Its first argument is the name of the function: a server keeps every script that it has run, and so only one a flag.
    """
    own = ", ".join(f"{name} = {name}" for name, flag in _FLAGS.items() if flag == _FLAGS[function])
    return (
        f"#!lua flags={_FLAGS[function]}\n{_PROGRAM}\nreturn ({{{own}}})[table.remove(ARGV, 1)](KEYS, ARGV)"
    )
