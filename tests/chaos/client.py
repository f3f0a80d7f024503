"""What the threads of a run have in common: they do one thing after the other, and count what they are told."""

import traceback
from collections import Counter
from collections.abc import Callable

from taxohash.errors import TaxohashError


class Client:
    """A client of the store, for one thread.

    Attributes:
        counts: what was done.
        troubles: errors that it was told, as a user would be.
        broken: exceptions that nobody should see.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self.broken: list[str] = []

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do something; whether it went well."""
        try:
            act()
        except TaxohashError as error:
            self.troubles[brief(error)] += 1
            return False
        except Exception:
            self.broken.append(traceback.format_exc())
            return False
        return True


def brief(error: Exception) -> str:
    """What went wrong, without ports and numbers, so that it can be counted."""
    words = (word for word in str(error).split() if not any(sign.isdigit() for sign in word))
    return f"{type(error).__name__}: {' '.join(words)}"[:100]
