"""Published objectives, one a file. `objective("shpdh")` finds one by name, `objectives()` lists all."""

from taxohash.objectives.base import AnyObjective, Batch, Objective, Setting
from taxohash.objectives.registry import build, config_of, configured, objective, objectives, register

__all__ = [
    "AnyObjective",
    "Batch",
    "Objective",
    "Setting",
    "build",
    "config_of",
    "configured",
    "objective",
    "objectives",
    "register",
]
