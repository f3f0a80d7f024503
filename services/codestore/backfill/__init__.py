"""The backfill: what a generation lacks is read, encoded and put, and what cannot be encoded is told apart.

run         one pass over what a generation lacks
turn        the right to write its codes, renewed while it is used, lost to nobody unnoticed
pace        so many pictures a second, and how many it is
patience    places that do not answer, asked ever more seldom
status      how far it is, for people and scripts
"""

from services.codestore.backfill.pace import Pace
from services.codestore.backfill.patience import Patience
from services.codestore.backfill.run import Backfilled, backfill
from services.codestore.backfill.turn import TakenError, Turn, runner_name

__all__ = ["Backfilled", "Pace", "Patience", "TakenError", "Turn", "backfill", "runner_name"]
