"""One decoder: `python -m services.retrieval.decoding.process`, its standard input a socket to its owner.

It ends when the other end of the socket is closed.
"""

import socket

from services.retrieval.decoding import confinement
from services.retrieval.decoding.wire import ANSWER, BOUNDS, REQUEST, Bounds, Kind


def main() -> None:
    """Answer requests until there are no more."""
    confinement.end_with_owner()
    # Only now, since that takes most of the start, and no process may be left that does not know its end.
    from services.retrieval.decoding.answers import answer, warm_up

    warm_up()
    with socket.socket(fileno=0) as channel, channel.makefile("rb") as requests:
        channel.sendall(ANSWER.pack(0, Kind.READY, 0))
        said = requests.read(BOUNDS.size)
        if len(said) < BOUNDS.size:
            return
        bounds = Bounds.unpack(said)
        confinement.confine(bounds)
        while len(head := requests.read(REQUEST.size)) == REQUEST.size:
            number, length, size = REQUEST.unpack(head)
            kind, body = answer(requests.read(length), requests.read(size), bounds)
            channel.sendall(ANSWER.pack(number, kind, len(body)))
            channel.sendall(body)


if __name__ == "__main__":
    main()
