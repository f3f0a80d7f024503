"""One connection: uvicorn's HTTP/1.1 over httptools, with bounds on what a client may send, and on the time it may take.

What is said about a request that is refused here stands in its turn, after the answers to those before it, and is followed
by an end that lets the client read it (RFC 9112, section 9.6).
"""

import asyncio
import select
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from services import metrics
from services.retrieval.server import answers, heads
from services.retrieval.server.connections import Connections, Stage
from services.retrieval.server.exchange import Exchange, refuse
from services.web.refused import RefusedError, busy

_PIECE_BYTES = 16 * 1024  # parsed at once: what is counted only afterwards is bounded by it
_MAX_WAITING = 16  # requests sent before the one in front of them is answered
_CHUNKING_BYTES = 16 * 1024  # sizes, extensions and trailers of a chunked body, besides 8 for each byte of it
_HELD_BYTES = 64 * 1024  # of answers, within one turn of the loop
_LEAST_READ_BYTES = 128 * 1024  # of an answer, in the time that a client may be stalled
_READINESS = "/readyz"


@dataclass
class Shared:
    """What all connections of a server share.

    Attributes:
        generation: the one that is served; empty: none.
        ending: each answer is the last of its connection, and who asks whether we are ready is told no.
        draining: no request is begun any more.
    """

    config: Config
    state: ServerState
    connections: Connections
    header_seconds: float
    generation: Callable[[], str]
    ending: bool = False
    draining: bool = False


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        stage: see `Connections`, which sets it.
    """

    def __init__(self, shared: Shared, app_state: dict[str, Any]) -> None:
        super().__init__(shared.config, shared.state, app_state, asyncio.get_running_loop())
        self.stage: Stage | None = None
        self._shared = shared
        self._raw: asyncio.Transport | None = None
        self._out: _Orderly | None = None
        self._answering: RequestResponseCycle | None = None
        self._refusal: RefusedError | None = None  # why nothing is read any more
        self._aborted = self._ending = self._at_end = False
        self._in_head = True  # a fresh connection waits for one
        self._head_bytes = self._unparsed_bytes = self._fields = 0
        self._chunking_bytes = 0
        self._unsent = 0
        self._spared = False  # once a head, or who drips would never be late
        shared.connections.enter(self, Stage.HEADERS)

    # -- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = raw = cast(asyncio.Transport, transport)
        self._out = _Orderly(raw, self)
        super().connection_made(cast(asyncio.Transport, self._out))
        if self._aborted:
            raw.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.connections.leave(self)
        self._ending = True
        self.pipeline.clear()
        if self._answering:
            self._leave_alone(self._answering)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio reads it: whether we go on writing
        """The client sends no more; what it sent whole is answered all the same."""
        self._at_end = True
        if self._ending:
            return False
        receiving = self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete
        if self._refusal is None and (receiving or self._head_has_begun):
            self._refuse(heads.malformed("it ended too early"))
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False
        return self._answering is not None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reads_on()
        self._settle()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._settle()

    def end(self) -> None:
        """Close the connection once the client has had time to read what it was told, and us to hear that it has."""
        if self._ending or self._raw is None or self._out is None:
            return
        self._out.flush()
        self._ending = True
        self._reads_on()
        self._shared.connections.enter(self, Stage.ENDING)
        unread = self._refusal is not None or self.flow.read_paused or (self.cycle and self.cycle.more_body)
        if not unread or self._at_end:
            self._raw.close()
            return
        self.flow.resume_reading()
        try:
            self._raw.write_eof()
        except OSError:  # it is gone already
            self._raw.abort()

    @property
    def is_ending(self) -> bool:
        return self._ending

    def abort(self) -> None:
        """Close it at once."""
        self._aborted = self._ending = True
        if self._raw is not None:
            self._raw.abort()

    # -- what is received -----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        for piece in _pieces(data):
            if self._ending or self._refusal or self._has_had_its_last:
                return  # nobody is going to answer it
            self._parse(piece)
        self._settle()

    @property
    def _has_had_its_last(self) -> bool:
        """Whether the connection ends with a request that is there already."""
        return self.cycle is not None and not (self.cycle.keep_alive or self.cycle.more_body)

    @property
    def _head_has_begun(self) -> bool:
        return self._in_head and self._head_bytes + self._unparsed_bytes > 0

    def _parse(self, piece: bytes) -> None:
        self._chunking_bytes += len(piece)
        self._unparsed_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
            if self._in_head and self._unparsed_bytes > heads.MAX_HEAD_BYTES + _PIECE_BYTES:
                raise heads.head_too_long()
            if not self._in_head and self._chunking_bytes > _CHUNKING_BYTES:
                raise heads.malformed("its chunks are more frame than picture")
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_after_upgrade(piece[upgrade.args[0] :])
        except RefusedError as refusal:
            self._refuse(refusal)
        except httptools.HttpParserError as error:
            own = error.__context__  # what was raised while it parsed
            self._refuse(own if isinstance(own, RefusedError) else heads.malformed(_why(error)))

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= _MAX_WAITING:
            raise busy(f"{_MAX_WAITING} requests wait for their answers: read those first")
        super().on_message_begin()
        self._spared = False
        self._in_head = True
        self._head_bytes = self._fields = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))
        if len(self.url) > heads.MAX_TARGET_BYTES:
            raise heads.target_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._count(len(name) + len(value) + len(b": \r\n"))
        if self._in_head:  # what comes after a body in chunks is not what was asked for, or by whom
            super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > heads.MAX_HEAD_BYTES or self._fields > heads.MAX_FIELDS:
            raise heads.head_too_long()

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        if refusal := heads.refusal_of(self.parser.get_method(), self.url, version, self.headers):
            raise refusal
        url = httptools.parse_url(self.url)
        if not url.path:  # http://host, without a slash
            self.url = b"/?" + (url.query or b"")
        self._in_head = False
        self._unparsed_bytes = self._chunking_bytes = 0
        super().on_headers_complete()
        if version == "1.0":
            self.cycle.waiting_for_100_continue = False
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._chunking_bytes -= 9 * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_bytes = self._unparsed_bytes = self._chunking_bytes = 0
        if not self._upgrades_with_body():
            super().on_message_complete()

    def _upgrades_with_body(self) -> bool:
        """Whether the parser takes the body of this request for another protocol."""
        bodies = (b"content-length", b"transfer-encoding")
        return self.parser.should_upgrade() and any(name in bodies for name, _ in self.headers)

    def _go_on_after_upgrade(self, rest: bytes) -> None:
        """Read the body of a request that asks for another protocol, as Java's client does of each. We speak HTTP/1.1 on."""
        if not self._upgrades_with_body():
            return
        framing = [h for h in self.headers if h[0] in (b"content-length", b"transfer-encoding")]
        self.parser = httptools.HttpRequestParser(_Body(self))
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # it is ignored
        self.parser.feed_data(b"POST / HTTP/1.1\r\nConnection: close\r\n%s: %s\r\n\r\n" % framing[0])
        self._parse(rest)

    # -- the answers ----------------------------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        shared = self._shared
        if shared.ending:
            cycle.keep_alive = False
        if shared.draining or (shared.ending and cycle.scope["path"] == _READINESS):
            app = refuse(answers.draining(), shared.generation())
        super()._start_asgi_task(cycle, Exchange(cycle, app, self._shared.generation))

    def on_response_complete(self) -> None:
        self._answering = None
        if self._ending:
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal:
            self._tell()
        elif self._at_end:
            self.end()
        self._settle()

    def _refuse(self, refusal: RefusedError) -> None:
        """Read no more, and say why after the answers to what came before."""
        self._refusal = refusal
        cycle = self.cycle
        if (
            cycle is not None and cycle.more_body and not cycle.response_complete
        ):  # it broke off in this one's body
            if self.pipeline:
                self.pipeline.popleft()
            else:
                self._answering = None
                self._leave_alone(cycle)
                if cycle.response_started:
                    self.abort()
                    return
        if self._answering is None:
            self._tell()

    def _tell(self) -> None:
        assert self._refusal is not None
        metrics.CONNECTIONS_REFUSED.labels(str(self._refusal.status)).inc()
        told = answers.written(self._refusal, self.server_state.default_headers, self._shared.generation())
        self.transport.write(told)
        self.end()

    def _leave_alone(self, cycle: RequestResponseCycle) -> None:
        """Let the application know that nobody waits for this answer."""
        if not cycle.response_complete:
            cycle.disconnected = True
        cycle.message_event.set()

    # -- time -----------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Go to the stage that says what we wait for now."""
        if not self._ending:
            self._shared.connections.enter(self, self._stage_now())

    def _stage_now(self) -> Stage:
        if self.flow.write_paused:
            return Stage.STALLED
        if self._answering is None:
            return Stage.HEADERS if self._in_head else Stage.IDLE
        return Stage.BODY if self._answering.more_body else Stage.ANSWERING

    @property
    def in_transit(self) -> bool:
        """Whether what is waited for may lie there to be read, be it that the client has left; or an answer is still here."""
        if self.stage not in (Stage.HEADERS, Stage.IDLE, Stage.BODY):
            return False
        if self._raw is None or self._out is None:  # it has just been taken
            return True
        if self._out.holds or self._raw.get_write_buffer_size():
            return True
        here = self._raw.get_extra_info("socket")
        if here is None or here.fileno() < 0:
            return False
        look = select.poll()
        look.register(here.fileno(), select.POLLIN)
        return bool(look.poll(0))

    def late(self) -> None:
        """The time of its stage is over."""
        if not self._spared and self.in_transit:
            self._spared = True  # it was we who were late; what is there is read before this is asked again
            return
        if self.stage in (Stage.STALLED, Stage.ENDING):
            if self._reads_on():
                self._shared.connections.again(self)
            else:
                self._reset()
        elif self.stage is Stage.HEADERS and self._head_has_begun:
            sentence = (
                f"headers did not arrive within {self._shared.header_seconds:g} seconds: send them at once"
            )
            self._refuse(RefusedError(408, "slow", sentence))
        elif self.stage in (Stage.HEADERS, Stage.IDLE):
            self.end()
        else:
            self.abort()

    def _reset(self) -> None:
        """Close it without a trace: the system would go on offering what it has to a client that does not read it."""
        if self._raw is not None and (here := self._raw.get_extra_info("socket")) is not None:
            here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def _reads_on(self) -> bool:
        """Whether the client has read something since this was asked last."""
        before, self._unsent = self._unsent, self._raw.get_write_buffer_size() if self._raw else 0
        return before - self._unsent >= _LEAST_READ_BYTES

    def shutdown(self) -> None:
        """The server is about to end: let this answer be the last."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shut(self) -> None:
        """The server ends: nothing is waited for any more but that the client reads its answer."""
        if self._answering is None and not self._ending and self._refusal is None:
            if self._head_has_begun:
                self._refuse(answers.draining())
            else:
                self.end()


class _Orderly:
    """The transport as uvicorn is to know it: `close` lets the client read its answer."""

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes) -> None:
        """Send at the end of this turn of the loop: head and body of an answer are one packet then, and one call."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self._held and not self._protocol.is_ending:
            self._transport.write(b"".join(self._held))
        self._held.clear()
        self._held_bytes = 0

    @property
    def holds(self) -> bool:
        """Whether something has been written that is not sent yet."""
        return bool(self._held)

    def close(self) -> None:
        self._protocol.end()

    def is_closing(self) -> bool:
        return self._protocol.is_ending or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Body:
    """Hands on the body alone of a message whose head was read before."""

    def __init__(self, protocol: GuardedProtocol) -> None:
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete


def _pieces(data: bytes) -> Iterator[bytes]:
    if len(data) <= _PIECE_BYTES:
        yield data
        return
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]


def _why(error: httptools.HttpParserError) -> str:
    """What the parser says, of its own; nothing of what was sent."""
    if isinstance(error, httptools.HttpParserCallbackError):
        return "its target is no URL"
    text = str(error)
    return text[0].lower() + text[1:] if text else "it is no HTTP"
