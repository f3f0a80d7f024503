"""Ways to run a pipeline."""
