"""`python -m benchmarks.speed.codestore`."""

from benchmarks.common.command import start
from benchmarks.speed.codestore.run import main

start(main)
