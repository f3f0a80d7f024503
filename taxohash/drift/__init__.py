"""Drift: whether what was asked and stored lately is still what a generation was measured on. NumPy alone, but for the report."""
