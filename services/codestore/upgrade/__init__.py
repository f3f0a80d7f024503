"""From the layout of the release before to today's, beside it, while pods of both run."""

from services.codestore.upgrade.copying import finish, upgrade

__all__ = ["finish", "upgrade"]
