"""`python -m benchmarks.search`."""

from benchmarks.common.command import start
from benchmarks.search.run import main

start(main)
