"""How fast the service answers, beside bare routes that do the same and nothing else; `python -m benchmarks.speed.serving`."""
