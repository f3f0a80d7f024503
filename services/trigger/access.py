"""Who may talk to the trigger: who has a token; without tokens, this machine."""

import base64
import binascii
import hmac
import os
import stat
from contextlib import suppress
from pathlib import Path

from starlette.types import Scope

from services import settings
from services.web.headers import values
from services.web.origin import came_from_here, from_another_site, is_loopback
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError

_MOST_BYTES = 64 * 1024
_NOBODY: frozenset[str] = frozenset()


def refuse_open(host: str, token_file: Path | None) -> None:
    """Make sure that a trigger without tokens is open to its own machine only.

    Raises:
        TaxohashError: it would be open to others, or its file of tokens cannot be used.
    """
    if token_file is not None:
        tokens_of(token_file)
    elif not is_loopback(host):
        raise TaxohashError(
            f"without a token {host} is not served: name a file with one in {settings.TRIGGER_TOKEN_FILE.name}"
        )


def tokens_of(path: Path) -> list[bytes]:
    """The tokens of a file, one a line.

    Raises:
        TaxohashError: it cannot be read, has none, or one that could be guessed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would be waited for
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(0, "it is no plain file")
            tokens = [line.strip() for line in file.read(_MOST_BYTES).splitlines() if line.strip()]
    except OSError as error:
        raise TaxohashError(
            f"file of tokens {path} cannot be read ({error.strerror}): write one token into it"
        ) from None
    if not tokens or min(map(len, tokens)) < settings.LEAST_CHARACTERS:
        raise TaxohashError(
            f"file of tokens {path} has no token, or a short one: write lines of at least {settings.LEAST_CHARACTERS} characters"
        )
    return tokens


def admit(scope: Scope, token_file: Path | None) -> None:
    """Let a request in.

    Raises:
        RefusedError: 401, it shows no token that is right; 403, a browser sent it for another site; 503, the tokens cannot be read.
    """
    headers = scope["headers"]
    if token_file is not None:
        try:
            known = tokens_of(token_file)
        except TaxohashError:
            raise RefusedError(503, "unavailable", "the tokens cannot be read: see the log") from None
        shown = _shown(values(headers, b"authorization"))
        if not sum(hmac.compare_digest(shown, token) for token in known):  # each is compared, always
            raise RefusedError(
                401,
                "key",
                "a token is needed here: send it as Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
    elif not came_from_here(scope.get("server"), headers):
        raise RefusedError(
            401,
            "key",
            "without a token this is open on this machine only, asked as localhost and not through a proxy",
        )
    refuse_other_sites(scope)


def refuse_other_sites(scope: Scope) -> None:
    """Do not do what a page of another site had a browser ask for.

    Raises:
        RefusedError: 403, it did.
    """
    if from_another_site(scope["headers"], _NOBODY):
        raise RefusedError(403, "origin", "this came from a page of another site: ask from a server")


def _shown(sent: list[bytes]) -> bytes:
    """The token in an Authorization header, a bearer's or a password; empty where there is none."""
    if len(sent) != 1:
        return b""
    scheme, _, rest = sent[0].strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        with suppress(binascii.Error):
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    return b""
