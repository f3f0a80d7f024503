"""Published objectives, one a file. `objective("shpdh")` finds one by name, `objectives()` lists all."""

from taxohash.objectives.base import Objective, Setting
from taxohash.objectives.registry import build, config_of, configured, objective, objectives

__all__ = ["Objective", "Setting", "build", "config_of", "configured", "objective", "objectives"]
