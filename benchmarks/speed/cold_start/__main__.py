"""`python -m benchmarks.speed.cold_start`."""

from benchmarks.common.command import start
from benchmarks.speed.cold_start.run import main

start(main)
