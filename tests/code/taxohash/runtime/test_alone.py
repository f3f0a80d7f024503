"""One process at a time."""

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from taxohash.errors import TaxohashError
from taxohash.runtime import alone as module
from taxohash.runtime.alone import alone
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
