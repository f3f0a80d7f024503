"""From a generation back to what made it: run, configuration, code, data, report, and who published it in the place of what."""

from services.lineage.gather import chain, lineage
from services.lineage.origin import Made, Origin, note_origin, origin_of
from services.lineage.record import Lineage

__all__ = ["Lineage", "Made", "Origin", "chain", "lineage", "note_origin", "origin_of"]
