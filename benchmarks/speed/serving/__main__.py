"""`python -m benchmarks.speed.serving`."""

from benchmarks.common.command import start
from benchmarks.speed.serving.run import main

start(main)
