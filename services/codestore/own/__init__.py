"""The store among the user's data: one for all their programs, there while one of them uses it."""

from services.codestore.own.store import OwnStore, address, code_store

__all__ = ["OwnStore", "address", "code_store"]
