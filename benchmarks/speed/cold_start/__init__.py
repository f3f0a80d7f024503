"""How long a serving process takes to its first answer, and what packed kernels cost it; `python -m benchmarks.speed.cold_start`."""
