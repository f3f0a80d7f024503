"""Settings of every test."""

import os
import signal

import hypothesis

# No wall-clock limits: the machine may be busy. In CI the same examples every time.
hypothesis.settings.register_profile("taxohash", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("taxohash")

# A shell's background job (`make test &`) ignores Ctrl-C, and so would every process that a test starts and stops.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
