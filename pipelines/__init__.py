"""Kubeflow Pipelines: the retraining pipeline, its components, and the ways to run it."""
