"""The server-side function library, named after its own content so that versions can share a server."""

import hashlib
from pathlib import Path

# In the order in which they use each other.
_PARTS = ("rows", "catalog", "codes", "collection", "register")
_FOLDER = Path(__file__).with_name("lua")
_BODY = "\n".join((_FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS)

VERSION = hashlib.sha256(_BODY.encode()).hexdigest()[:12]
LIBRARY = f"taxohash_{VERSION}"
SOURCE = f"#!lua name={LIBRARY}\nlocal VERSION = '{VERSION}'\n{_BODY}"


def full_name(function: str) -> str:
    """Name under which the server knows a function of this version."""
    return f"{function}_{VERSION}"
