"""Settings of every test."""

import functools
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest
from httpx._transports import default as transports

if TYPE_CHECKING:
    from tests.support.s3 import S3

# No wall-clock limits: the machine may be busy. In CI the same examples every time.
hypothesis.settings.register_profile("taxohash", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("taxohash")

# Else each client of httpx, and each request without one, reads all certificates anew: 30 ms of CPU, thousands of times.
transports.create_ssl_context = functools.cache(httpx.create_ssl_context)  # type: ignore[attr-defined]

# A shell's background job (`make test &`) ignores Ctrl-C, one of nohup the end of a terminal, and so would every process that
# a test starts and stops.
for ignored, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, default)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fuzzing, real processes and trainings first, as their files are the longest: what is left at the end should be short.

    What thousands of random examples cover is not measured: it would take them twice as long, and differ from run to run.
    """
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(1700))
    longest = {"loop", "model", "system"}
    items.sort(key=lambda item: ("fuzz" not in item.path.parts, longest.isdisjoint(item.path.parts)))


# -- places where bytes are kept -------------------------------------------------------------------------

_PREFIXES = (f"place{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def s3() -> "Iterator[S3]":
    """A server of our own with a bucket."""
    from tests.support.s3 import s3_server  # boto3 takes a second to import

    with s3_server() as server:
        yield server


@pytest.fixture
def at_s3(s3: "S3", monkeypatch: pytest.MonkeyPatch) -> "S3":
    """The server that this process talks to."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture(params=["folder", "memory", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place of each kind where nothing is."""
    if request.param == "folder":
        return str(tmp_path / "kept")
    if request.param == "memory":
        return f"memory://{next(_PREFIXES)}"
    request.getfixturevalue("at_s3")
    from tests.support.s3 import BUCKET

    return f"s3://{BUCKET}/{next(_PREFIXES)}/below"
