"""Named evaluation protocols: what is ranked, how it is graded, what is measured."""

from taxohash.protocols.definitions import PROTOCOLS, Protocol, find_protocol
from taxohash.protocols.evaluate import Order, evaluate
from taxohash.protocols.result import Report, Scores

__all__ = ["PROTOCOLS", "Order", "Protocol", "Report", "Scores", "evaluate", "find_protocol"]
