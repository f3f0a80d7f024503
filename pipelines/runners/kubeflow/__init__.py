"""Runs on any Kubeflow Pipelines."""
