"""Pictures are decoded in processes that can be ended."""

from services.retrieval.decoding.pool import Decoders

__all__ = ["Decoders"]
