"""What a process has measured of itself lately: the last hour of a few of its metrics, kept in memory for a page that people look at."""

from services.retrieval.recent.recorder import Recorder

__all__ = ["Recorder"]
