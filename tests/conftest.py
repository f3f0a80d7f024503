"""Settings of every test."""

import os

import hypothesis

# No wall-clock limits: the machine may be busy. In CI the same examples every time.
hypothesis.settings.register_profile("taxohash", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("taxohash")
