"""Time and memory of the code store beside plain commands of the same server; `python -m benchmarks.speed.codestore`."""
