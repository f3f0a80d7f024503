"""What a decoder answers, without what confines it: that is of the whole process, see tests/system/test_decoding.py."""

import json
import socket
import threading
from collections.abc import Iterator
from io import BufferedReader
from types import SimpleNamespace

import numpy as np
import pytest

from services.retrieval.decoding import answers, confinement, process
from services.retrieval.decoding.wire import ANSWER, REQUEST, Bounds, Kind
from taxohash.datasets.png import encode_png
from taxohash.images import Preprocessing, decode, pixel_hash

BOUNDS = Bounds(memory=1 << 30, seconds=60.0, niceness=0, pixels=1000)
GREY = Preprocessing(4, 1, "pad", (0.0,), (1.0,))
PIXELS = np.arange(16, dtype=np.uint8).reshape(4, 4)


class Owner:
    """The other end of a decoder's socket."""

    def __init__(self, channel: socket.socket, said: BufferedReader) -> None:
        self._channel, self._said = channel, said

    def hears(self) -> tuple[int, Kind, bytes]:
        number, kind, length = ANSWER.unpack(self._said.read(ANSWER.size))
        return number, Kind(kind), self._said.read(length)

    def asks(self, number: int, picture: bytes, preprocessing: Preprocessing = GREY) -> None:
        words = json.dumps(preprocessing.as_dict()).encode()
        self._channel.sendall(REQUEST.pack(number, len(words), len(picture)) + words + picture)


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Owner]:
    ours, theirs = socket.socketpair()
    confined: list[Bounds] = []
    monkeypatch.setattr(confinement, "end_with_owner", lambda: None)
    monkeypatch.setattr(confinement, "confine", confined.append)
    monkeypatch.setattr(process, "socket", SimpleNamespace(socket=lambda fileno: theirs))
    decoder = threading.Thread(target=process.main)
    decoder.start()
    with ours, ours.makefile("rb") as said:
        made = Owner(ours, said)
        assert made.hears() == (0, Kind.READY, b"")
        assert not confined  # until it has heard by what
        ours.sendall(BOUNDS.pack())
        yield made
        assert confined == [BOUNDS]
        ours.shutdown(socket.SHUT_WR)
        decoder.join(60)
    assert not decoder.is_alive()  # it ends with its owner


def test_pictures_are_answered_by_their_numbers(owner: Owner) -> None:
    owner.asks(7, encode_png(PIXELS))
    hashed = bytes.fromhex(pixel_hash(decode(encode_png(PIXELS)), GREY.reader))
    assert owner.hears() == (7, Kind.PIXELS, PIXELS.tobytes() + hashed)
    owner.asks(8, b"no picture")
    number, kind, reason = owner.hears()
    assert (number, kind) == (8, Kind.REFUSED)
    assert b"cannot be decoded" in reason
    owner.asks(9, encode_png(np.zeros((40, 40), np.uint8)))
    assert owner.hears()[:2] == (9, Kind.REFUSED)  # it has more pixels than the bounds
    owner.asks(10, encode_png(PIXELS))
    assert owner.hears()[1] is Kind.PIXELS


@pytest.mark.parametrize(
    ("error", "told"), [(MemoryError(), (Kind.MEMORY, b"")), (KeyError("secret"), (Kind.FAULT, b"KeyError"))]
)
def test_what_nobody_foresaw_is_told_by_its_name_alone(
    error: Exception, told: tuple[Kind, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(answers, "decode", failing)
    assert answers.answer(json.dumps(GREY.as_dict()).encode(), b"", BOUNDS) == told


def test_an_owner_that_ends_before_it_gave_bounds_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(confinement, "end_with_owner", lambda: None)
    monkeypatch.setattr(process, "socket", SimpleNamespace(socket=lambda fileno: theirs))
    ours.shutdown(socket.SHUT_WR)
    process.main()
    ours.close()
