"""Exact search beside its peers."""
