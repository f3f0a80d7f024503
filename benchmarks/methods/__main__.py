"""`python -m benchmarks.methods`."""

import typer

from benchmarks.methods.table import main

typer.run(main)
