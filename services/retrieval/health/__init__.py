"""Retrieval health: what is asked and answered, beside what it was when the generation that is served was made, as metrics.

An engine counts what it answers (`Health`), a thread asks its canaries (`Watch`), and a collector tells all of the one that is served
(`FAMILIES`), so that with a generation its series end.
"""

from services.retrieval.health.families import FAMILIES
from services.retrieval.health.health import Health
from services.retrieval.health.watch import Watch

__all__ = ["FAMILIES", "Health", "Watch"]
