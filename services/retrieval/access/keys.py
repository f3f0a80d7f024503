"""API keys, and the file that keeps their digests.

A key is 256 random bits, so its SHA-256 is enough: nobody guesses it, and nobody finds it from its digest. Slow hashes
(bcrypt, Argon2) are for what people choose; here they would only make a wrong key expensive for the server.

The file is JSON, as `taxohash keys` writes it and a Kubernetes Secret holds it:

    {"keys": [{"name": "shop", "role": "search", "digest": "64 hexadecimal digits", "created": "2026-01-02T03:04:05Z",
               "expires": "2027-01-02T03:04:05Z", "rate": 50, "burst": 100}]}
"""

import hashlib
import json
import math
import os
import re
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from services.retrieval.access.roles import Role
from services.web.secrets import PREFIX, without_secrets
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Positive, Series, configuration, plain, read

MOST_KEYS = 1_000
MOST_AT_ONCE = 1_000_000
_MOST_BYTES = 1024 * 1024
_SECRET = re.compile(rb"txh_[A-Za-z0-9_-]{43}")
# A secret is longer, so that none becomes a name by mistake.
_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_REMEDY = "make it with `taxohash keys add`"

Name = Annotated[str, Field(pattern=_NAME)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


@configuration
class Key:
    """A key, without its secret.

    Attributes:
        name: stands in logs: letters, digits, dots, dashes and underscores, at most 40.
        role: search, write or admin.
        digest: SHA-256 of the secret, in hexadecimal digits.
        created: UTC, such as 2026-01-02T03:04:05Z.
        expires: likewise; None: never.
        rate: requests a second, in each process; None: as many as the service takes.
        burst: requests at once, where there is a rate.
    """

    name: Name
    role: Role
    digest: Digest
    created: Time
    expires: Time | None = None
    rate: Positive | None = None
    burst: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 1


@configuration
class KeyFile:
    """What a file of keys holds."""

    keys: Series[Key]


def new_secret() -> str:
    """A secret of 256 random bits, fit for a header."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What a file keeps of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(text: bytes) -> bool:
    """Whether it has the form of one: others are not hashed."""
    return _SECRET.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a key may have this name."""
    return re.fullmatch(_NAME, text) is not None and not text.endswith("\n")


def utc(when: float) -> str:
    """Unix time as files have it."""
    return datetime.fromtimestamp(when, UTC).strftime(_TIME)


def load(path: Path) -> tuple[Key, ...]:
    """Keys of a file.

    Raises:
        TaxohashError: see content_of and parse.
    """
    return parse(content_of(path), path)


def content_of(path: Path) -> bytes:
    """The bytes of a file of keys.

    Raises:
        TaxohashError: it cannot be read, is no plain file, or is too large.
    """
    try:
        # A pipe would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise TaxohashError(f"file of API keys {path} is no plain file: {_REMEDY}")
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a null byte is no value either
        if isinstance(error, TaxohashError):
            raise
        raise TaxohashError(
            f"file of API keys {path} cannot be read ({getattr(error, 'strerror', error)}): {_REMEDY}"
        ) from None
    if len(content) > _MOST_BYTES:
        raise TaxohashError(f"file of API keys {path} has more than {_MOST_BYTES} bytes: {_REMEDY}")
    return content


def parse(content: bytes, path: Path) -> tuple[Key, ...]:
    """Keys from what a file holds.

    Raises:
        TaxohashError: it holds something else; the message shows no secret that stands there by mistake.
    """
    where = f"file of API keys {path}"
    try:
        data = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise TaxohashError(f"{where} is not JSON: {_REMEDY}") from None
    try:
        keys = read(KeyFile, data).keys
        for key in keys:
            unix(key.created)
            unix(key.expires)
    except TaxohashError as error:
        raise TaxohashError(f"{where}: {without_secrets(str(error))}; {_REMEDY}") from None
    if len(keys) > MOST_KEYS:
        raise TaxohashError(f"{where} has {len(keys)} keys: keep at most {MOST_KEYS}")
    for what, values in (
        ("name", [key.name for key in keys]),
        ("digest of key", [key.digest for key in keys]),
    ):
        twice = next((keys[at].name for at, value in enumerate(values) if value in values[:at]), None)
        if twice is not None:
            raise TaxohashError(f"{where} has {what} {twice} twice: remove one")
    return keys


def text_of(keys: tuple[Key, ...]) -> str:
    """What a file of these keys holds."""
    return json.dumps(plain(KeyFile(keys=keys)), indent=1) + "\n"


def unix(time: str | None) -> float:
    """Unix time of what a file has; infinity for None, which is never.

    Raises:
        TaxohashError: no calendar has it.
    """
    if time is None:
        return math.inf
    try:
        return datetime.strptime(time, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise TaxohashError(f"time {time} is none: write it such as 2026-01-02T03:04:05Z") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, none of whose names stands there twice: the last would win unseen."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice")
    return made
