"""What is told of the trigger's memory."""

from typing import Any

from services.trigger.decide import Policy, decide
from services.trigger.records import Pending, State
from taxohash.runtime.configuration import plain


def told(state: State, policy: Policy, now: float) -> dict[str, Any]:
    """All of it, as JSON holds it, and what each pending run waits for."""
    return {
        **plain(state),
        "pending": [pending_told(state, pending, policy, now) for pending in state.pending],
    }


def pending_told(state: State, pending: Pending, policy: Policy, now: float) -> dict[str, Any]:
    """A pending run, what it waits for, and until when where that is known (else None)."""
    decision = decide(state, pending, policy, now)
    return {**plain(pending), "standing": decision.standing.value, "until": decision.until}
