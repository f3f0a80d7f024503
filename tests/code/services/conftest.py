"""A bucket for those who keep something there."""

from collections.abc import Iterator

import pytest

from tests.support.s3 import S3, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def at_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server that this process talks to."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3
