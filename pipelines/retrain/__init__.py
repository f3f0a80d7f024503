"""The retraining pipeline: its graph, its components, and what each step does."""
