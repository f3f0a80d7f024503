"""Who is let in to what. What is refused here costs microseconds, as nothing of a request but its headers is looked at."""

import logging
import math
import re
import time
from collections.abc import Callable
from pathlib import Path

from starlette.types import Scope

from services import metrics
from services.retrieval.access.anonymous import open_to
from services.retrieval.access.caller import ANONYMOUS, EVERYBODY, Caller
from services.retrieval.access.ring import Ring
from services.retrieval.access.roles import Access, Role, allows
from services.retrieval.settings import Settings
from services.web.headers import Headers, values
from services.web.origin import from_another_site
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError

LOG = logging.getLogger("taxohash.access")
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+)")
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class NotLetInError(RefusedError):
    """A request that the gate refused.

    Attributes:
        why: missing, wrong, expired, role, rate or origin: for log and metrics, more than the client is told.
        key: name of the key, where it is known.
    """

    def __init__(
        self, why: str, status: int, sentence: str, key: str = "", headers: dict[str, str] | None = None
    ) -> None:
        reason = "key" if status == 401 else why
        super().__init__(status, reason, sentence, headers or (_CHALLENGE if status == 401 else None))
        self.why = why
        self.key = key


class Gate:
    """Lets requests in, or refuses them."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Read the keys.

        Args:
            clock: Unix time.

        Raises:
            TaxohashError: the settings name a file of keys that cannot be read, or is none; or an origin that is none.
        """
        for origin in settings.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise TaxohashError(
                    f"TAXOHASH_CORS_ORIGINS has {origin!r}: list origins such as https://shop.example, in lower case"
                )
        self._ring = Ring(Path(settings.api_keys_file)) if settings.api_keys_file else None
        self._allowed = settings.allow_anonymous
        self._origins = frozenset(settings.cors_origins)
        self._clock = clock

    def start(self) -> None:
        """Follow the file of keys; without one, say what is open."""
        if self._ring is not None:
            self._ring.start()
        if self._allowed:
            LOG.warning("TAXOHASH_ALLOW_ANONYMOUS is %s: everybody who reaches it may do that", self._allowed)
        elif self._ring is None:
            LOG.warning(
                "there are no API keys: everybody on this machine may search and write, and nobody else may do anything; "
                "make keys with `taxohash keys add`"
            )

    def stop(self) -> None:
        """Follow no more."""
        if self._ring is not None:
            self._ring.stop()

    def admit(self, scope: Scope, needed: Access | None) -> Caller:
        """Who asks.

        Args:
            scope: of the request.
            needed: what its endpoint needs; None: there is no such endpoint, which is told only to those who may do
                something.

        Raises:
            NotLetInError: 401, no key that is in force; 403, it may not do this; 429, too often.
        """
        try:
            return self._admit(scope, needed)
        except NotLetInError as error:
            metrics.NOT_LET_IN.labels(error.why).inc()
            raise

    def open_to(self, scope: Scope) -> Role | None:
        """What is open to who asks without a key; None: nothing but what is public."""
        return open_to(scope.get("server"), scope["headers"], self._ring is not None, self._allowed)

    def _admit(self, scope: Scope, needed: Access | None) -> Caller:
        if needed == "public":
            return EVERYBODY
        role = needed or "search"
        caller = self._caller(scope)
        if not allows(caller.role, role):
            if not caller.keyed:
                raise self._no_key()
            raise NotLetInError(
                "role",
                403,
                f"this key has the role {caller.role}, and this needs {role}: use a key that has it",
                caller.name,
            )
        if from_another_site(scope["headers"], self._origins):
            raise NotLetInError(
                "origin",
                403,
                "this came from a page of another site: list its origin in TAXOHASH_CORS_ORIGINS, or ask from a server",
                caller.name,
            )
        return caller

    def _caller(self, scope: Scope) -> Caller:
        headers: Headers = scope["headers"]
        shown = values(headers, b"authorization") if self._ring is not None else []
        if shown:
            return self._keyed(shown)
        role = self.open_to(scope)
        if role is None:
            raise self._no_key()
        return Caller(ANONYMOUS, role, False)

    def _keyed(self, shown: list[bytes]) -> Caller:
        assert self._ring is not None
        match = _BEARER.fullmatch(shown[0].strip()) if len(shown) == 1 else None
        known = self._ring.find(match[1]) if match else None
        if known is None or known.until <= self._clock():
            # One sentence for all: who guesses learns nothing, who holds an old key knows what to ask for.
            raise NotLetInError(
                "wrong" if known is None else "expired",
                401,
                "this key is unknown or has expired: send one that is in force, as Authorization: Bearer KEY",
                known.key.name if known else "",
            )
        key = known.key
        if known.bucket and (wait := known.bucket.take(time.monotonic())):
            seconds = str(math.ceil(wait))
            raise NotLetInError(
                "rate",
                429,
                f"this key may ask {key.rate:g} times a second, {key.burst} at once: try again in {seconds} s",
                key.name,
                {"Retry-After": seconds},
            )
        return Caller(key.name, key.role, True, known.bucket)

    def _no_key(self) -> NotLetInError:
        if self._ring is not None:
            sentence = "a key with the right role is needed here: send it as Authorization: Bearer KEY"
        else:
            sentence = (
                "without API keys this is open on this machine only, asked as localhost and not through a proxy, and "
                "never to administer: name a file of keys in TAXOHASH_API_KEYS_FILE, or say in "
                "TAXOHASH_ALLOW_ANONYMOUS what is open to everybody"
            )
        return NotLetInError("missing", 401, sentence)
