"""Settings of every test."""

import os
import signal

import hypothesis
import pytest

# No wall-clock limits: the machine may be busy. In CI the same examples every time.
hypothesis.settings.register_profile("taxohash", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("taxohash")

# A shell's background job (`make test &`) ignores Ctrl-C, and so would every process that a test starts and stops.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes first, as their files are the longest: what is left at the end should be short."""
    items.sort(key=lambda item: "system" not in item.path.parts)
