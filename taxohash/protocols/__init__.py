"""Named evaluation protocols: what is ranked, how it is graded, what is measured."""

from taxohash.protocols.definitions import PROTOCOLS, Protocol, find_protocol
from taxohash.protocols.evaluate import evaluate
from taxohash.protocols.result import Report

__all__ = ["PROTOCOLS", "Protocol", "Report", "evaluate", "find_protocol"]
