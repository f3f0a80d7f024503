"""Measurements against peers; results lie in benchmarks/results."""
