"""Data versions: which one a git revision names, and its folder out of a DVC remote."""

from pipelines.shared.versions.cache import pull
from pipelines.shared.versions.revision import resolve

__all__ = ["pull", "resolve"]
