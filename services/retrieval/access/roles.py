"""Roles, each with all that those before it have."""

from typing import Literal, get_args

Role = Literal["search", "write", "admin"]
# What an endpoint needs: public is open to everybody.
Access = Literal["public", "search", "write", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)


def allows(role: Role, needed: Role) -> bool:
    """Whether who has a role may do what needs another."""
    return ROLES.index(role) >= ROLES.index(needed)
