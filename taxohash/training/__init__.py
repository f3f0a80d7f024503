"""Training: the loop, what feeds it, and the run it leaves behind."""
