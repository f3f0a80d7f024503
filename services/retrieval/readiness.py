"""Whether a process should get requests, and what it says of itself (contract 3 of the design).

It is not ready until a generation is loaded. Afterwards a store that does not answer does not make it unready: searches go
on from memory. Only lagging while the store answers does, or an age of the codes that an operator has set.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ready", "loading", "lagging", "stale", "draining"]


@dataclass(frozen=True)
class Standing:
    """What is known of what is served.

    Attributes:
        serving, wanted, published: ids of generations: served, to be served, published.
        pinned: it is served whatever is published.
        reachable: the store answers.
        lag_seconds: for which a write that is known is unread.
        age_seconds: since nothing was unread.
        draining: the process is about to end.
    """

    serving: str | None = None
    wanted: str | None = None
    published: str | None = None
    pinned: bool = False
    reachable: bool = False
    lag_seconds: float = 0.0
    age_seconds: float = math.inf
    draining: bool = False


def status(standing: Standing, lag_seconds: float, stale_seconds: float | None) -> Status:
    """Ready, or why not."""
    if standing.draining:
        return "draining"
    if standing.serving is None:
        return "loading"
    if standing.reachable and standing.lag_seconds > lag_seconds:
        return "lagging"
    if stale_seconds is not None and standing.age_seconds > stale_seconds:
        return "stale"
    return "ready"


def told(standing: Standing, found: Status) -> dict[str, Any]:
    """What /readyz says: nothing internal, as everybody may ask."""
    return {
        "status": found,
        "generation": standing.serving,
        "published": standing.published,
        "pinned": standing.pinned,
        "published_is_served": standing.published is not None and standing.serving == standing.published,
        "store_reachable": standing.reachable,
        "lag_seconds": round(standing.lag_seconds, 3),
        "age_seconds": round(standing.age_seconds, 3) if math.isfinite(standing.age_seconds) else None,
    }
