"""A server of our own, and what it makes of an append-only file that is not as it was left."""

from services.codestore.embedded.server import EmbeddedServer, find_server

__all__ = ["EmbeddedServer", "find_server"]
