"""`python -m benchmarks.methods`."""

from benchmarks.common.command import start
from benchmarks.methods.table import main

start(main)
