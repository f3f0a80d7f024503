"""What all benchmarks share: where data and results lie, the command line, rows, tables and times."""
