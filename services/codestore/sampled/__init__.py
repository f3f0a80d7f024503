"""Pictures that were searched for: some of them, kept for a while beside what was answered, for comparisons and reports of drift."""

from services.codestore.sampled.facts import Facts, Node, SampledQuery
from services.codestore.sampled.kept import Bounds, Kept, deleted_at, surplus
from services.codestore.sampled.store import SampledQueries

__all__ = ["Bounds", "Facts", "Kept", "Node", "SampledQueries", "SampledQuery", "deleted_at", "surplus"]
