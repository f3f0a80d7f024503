"""Sampling of queries: some pictures that are searched for are kept, beside what was answered. Off by default."""

from services.retrieval.sampling.sampler import Sampler

__all__ = ["Sampler"]
