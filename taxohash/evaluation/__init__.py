"""Evaluation: ranking the database for every query, and the report of it."""
