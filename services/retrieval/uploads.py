"""Bodies that arrive: bounded each and together, in number, bytes, rate and time.

A body that is there within a quarter of a second needs no place: however many are held back half, a search that comes as
searches do is answered. One that takes longer needs one. Where all are taken, one that has made us wait as long, or would not
be whole in time, makes way; those that get on do not.

Each has credit: seconds in which more of it must come. It begins with a grace; each byte adds what it is worth at the least
rate, up to the grace again. So one that stalls is given up when the grace is over, one that drips a little later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.types import Receive

from services import metrics
from services.retrieval.settings import Limits
from services.web.refused import RefusedError

GRACE_SECONDS = 2.0
PATIENCE_SECONDS = 0.25  # for which a body needs no place, and keeps it though nothing comes
_CLOSE = {"Connection": "close"}  # the rest of the body is not read


class _Upload:
    """One body.

    Attributes:
        announced: bytes, where its client said so.
        held: bytes that count for it: those that came, and once it has a place those announced.
        refusal: why it is given up, where it was not too slow.
    """

    def __init__(self, limits: Limits, announced: int | None) -> None:
        self.held = 0
        self.refusal: RefusedError | None = None
        self._limits = limits
        self.announced = announced
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._ends = self._begun + limits.upload_seconds
        self._credit_ends = self._begun + GRACE_SECONDS
        self._received = 0
        self._timer: asyncio.Timeout | None = None

    async def arrive(self, receive: Receive, uploads: "Uploads") -> bytearray:
        """All of it.

        Raises:
            RefusedError: 400, its client left; 408, it was too slow; 413, it is too large; 429, it made way.
        """
        body = bytearray()
        try:
            async with asyncio.timeout_at(self._due) as self._timer:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusedError(400, "gone", "request ended before it was complete: send it again")
                    body += message.get("body", b"")
                    uploads.count(self, len(body))
                    if not message.get("more_body", False):
                        return body
                    self._go_on(len(body))
        except TimeoutError:
            raise self.refusal or self._slow() from None

    def give_up(self, refusal: RefusedError) -> None:
        """End it at once, unless all of it is there."""
        self.refusal = refusal
        if self._timer:
            self._timer.reschedule(0.0)

    @property
    def ahead(self) -> float:
        """Seconds by which it may fall behind before it has to make way; below 0, it has to."""
        now = self._clock()
        waited = self._credit_ends - now - (GRACE_SECONDS - PATIENCE_SECONDS)
        if not self.announced:
            return waited
        whole = self._received / self.announced * self._limits.upload_seconds
        return min(waited, self._begun + whole - now + PATIENCE_SECONDS)

    @property
    def _due(self) -> float:
        return 0.0 if self.refusal else min(self._credit_ends, self._ends)

    def _go_on(self, received: int) -> None:
        worth = (received - self._received) / self._limits.upload_rate
        self._received = received
        self._credit_ends = min(self._credit_ends + worth, self._clock() + GRACE_SECONDS)
        assert self._timer
        self._timer.reschedule(self._due)

    def _slow(self) -> RefusedError:
        if self._ends <= self._credit_ends:
            told = f"within {self._limits.upload_seconds:g} seconds (TAXOHASH_UPLOAD_SECONDS)"
        else:
            told = f"at {self._limits.upload_rate} bytes a second (TAXOHASH_UPLOAD_RATE)"
        return RefusedError(
            408,
            "slow",
            f"body did not arrive {told}: send a smaller picture or use a faster connection",
            _CLOSE,
        )


class Uploads:
    """All bodies of a process; for one event loop.

    Attributes:
        held: bytes of all bodies: while they arrive, and until their searches are answered.
    """

    def __init__(self, limits: Limits) -> None:
        self.held = 0
        self._limits = limits
        self._arriving: set[_Upload] = set()
        # Asked for by who scrapes: each costs a search nothing.
        metrics.UPLOADS.set_function(lambda: len(self._arriving))
        metrics.UPLOADS_BYTES.set_function(lambda: self.held)

    def __len__(self) -> int:
        """Number of bodies that have a place."""
        return len(self._arriving)

    @asynccontextmanager
    async def read(self, headers: Headers, receive: Receive) -> AsyncIterator[bytearray]:
        """The body of a request, whole; its bytes count until the block is left.

        Raises:
            RefusedError: 400, the client left; 408, too slow; 413, too large; 429, there is no room for it.
        """
        upload = _Upload(self._limits, self._announced(headers))
        lasting = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._place, upload)
        try:
            try:
                body = await upload.arrive(receive, self)
            finally:
                lasting.cancel()
                self._leave(upload)
            yield body
        finally:
            self._hold(upload, 0)

    def count(self, upload: _Upload, size: int) -> None:
        """Let a body have so many bytes, or more that it has already.

        Raises:
            RefusedError: 413, it is too large; 429, all together are.
        """
        if size > self._limits.body_bytes:
            raise self._too_large()
        if size > upload.held:
            while self.held + size - upload.held > self._limits.uploads_bytes:
                if not self._makes_way(upload):
                    raise _crowded()
            self._hold(upload, size)

    def _announced(self, headers: Headers) -> int | None:
        text = headers.get("content-length", "")
        if not (text.isascii() and text.isdigit()):
            return None
        if len(text) > 18 or int(text) > self._limits.body_bytes:
            raise self._too_large()
        return int(text)

    def _place(self, upload: _Upload) -> None:
        """Give a body that takes longer its place, or give it up."""
        try:
            if len(self._arriving) >= self._limits.uploads and not self._makes_way():
                raise _crowded()
            self.count(upload, upload.announced or 0)
        except RefusedError as refusal:
            upload.give_up(refusal)
        else:
            self._arriving.add(upload)

    def _makes_way(self, spared: _Upload | None = None) -> bool:
        """Give up the body that is furthest behind; whether there was one that has to make way."""
        others = self._arriving - {spared} if spared else self._arriving
        last = min(others, key=lambda upload: upload.ahead, default=None)
        if last is None or last.ahead >= 0.0:
            return False
        last.give_up(_crowded())
        self._leave(last)
        self._hold(last, 0)
        return True

    def _leave(self, upload: _Upload) -> None:
        if upload in self._arriving:
            self._arriving.discard(upload)

    def _hold(self, upload: _Upload, size: int) -> None:
        self.held += size - upload.held
        upload.held = size

    def _too_large(self) -> RefusedError:
        most = self._limits.body_bytes
        return RefusedError(
            413,
            "body",
            f"body has more than {most} bytes (TAXOHASH_MAX_BODY_BYTES): send a smaller picture",
            _CLOSE,
        )


def _crowded() -> RefusedError:
    """There is no room for a body, or it was the slowest where another needed its place."""
    return RefusedError(
        429,
        "busy",
        "more bodies arrive than this server holds at once (TAXOHASH_MAX_UPLOADS, TAXOHASH_UPLOADS_BYTES):"
        " try again in a second",
        {"Retry-After": "1", **_CLOSE},
    )
