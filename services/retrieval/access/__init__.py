"""Who may ask for what: API keys and their roles, and what is open without one."""

from services.retrieval.access.anonymous import refuse_open
from services.retrieval.access.caller import EVERYBODY, Caller
from services.retrieval.access.gate import Gate
from services.retrieval.access.roles import Access, Role

__all__ = ["EVERYBODY", "Access", "Caller", "Gate", "Role", "refuse_open"]
