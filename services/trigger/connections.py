"""Connections of the trigger: uvicorn's, of which strangers can hold no more than there may be, nor for long.

Without a token a client gets no further than a head, or the body of a webhook that is not proven yet. Either costs 64 KiB
at most, which h11 sees to and `routes/git`. That clients send only half of it is nobody's harm, as they make way.
"""

import asyncio
from itertools import count

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 1000
_numbers = count()


class YieldingProtocol(H11Protocol):
    """One connection. Where there are more than MOST, the oldest that waits for its client makes way for a new one, first
    of those that have sent no whole head; never one that waits for its answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._number = next(_numbers)
        if len(self.connections) <= MOST:
            return
        others = (own for own in self.connections if isinstance(own, YieldingProtocol) and own is not self)
        waiting = (own for own in others if own.has_no_head or own.cycle.more_body)
        if late := min(waiting, key=lambda own: (not own.has_no_head, own._number), default=None):
            self.connections.discard(late)  # not when it is told that it is lost: others may come before
            late.transport.abort()

    @property
    def has_no_head(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete
