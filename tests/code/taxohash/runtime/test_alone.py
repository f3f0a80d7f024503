"""One process at a time."""

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from taxohash.errors import TaxohashError
from taxohash.runtime import alone as module
from taxohash.runtime.alone import alone, alone_if_free
from tests.support.waiting import until


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "announce", told.append)
    inside: list[str] = []

    def second() -> None:
        with alone(tmp_path / ".lock", "somebody is there"):
            inside.append("second")

    waiting = threading.Thread(target=second)
    with alone(tmp_path / ".lock", "nobody is there"):
        waiting.start()
        until(lambda: told)
        inside.append("first")
    waiting.join()
    assert (told, inside) == (["somebody is there"], ["first", "second"])


def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(TaxohashError, match="No locks available"), alone(tmp_path / ".lock", "waiting"):
        pass


def test_who_does_not_wait_is_told_that_it_is_taken(tmp_path: Path) -> None:
    with alone_if_free(tmp_path / ".lock") as first, alone_if_free(tmp_path / ".lock") as second:
        assert (first, second) == (True, False)
    with alone_if_free(tmp_path / ".lock") as free:
        assert free


def test_whoever_waited_for_a_file_that_was_removed_is_alone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "announce", told.append)
    inside, leave = threading.Event(), threading.Event()

    def second() -> None:
        with alone(tmp_path / ".lock", "somebody is there"):
            inside.set()
            leave.wait(60)

    waiting = threading.Thread(target=second)
    with alone(tmp_path / ".lock", "nobody is there"):
        waiting.start()
        until(lambda: told)
        (tmp_path / ".lock").unlink()
    assert inside.wait(60)
    with alone_if_free(tmp_path / ".lock") as free:  # and not alone by a new file of that name
        assert not free
    leave.set()
    waiting.join()
