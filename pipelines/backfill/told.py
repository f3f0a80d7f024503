"""The state of a backfill in words."""

from rich.table import Table

from services.codestore.backfill.status import BackfillStatus
from taxohash.identifiers import shown
from taxohash.runtime import terminal

_LISTED = 20


def table(status: BackfillStatus) -> Table:
    """A row a live generation."""
    header = ("generation", "state", "encoded by", "items", "codes", "waiting", "quarantined", "no picture")
    rows = [
        (
            known.id,
            known.state,
            known.runner or "",
            *(f"{count:,}" for count in (known.members, known.codes, known.waiting, known.quarantined)),
            f"{known.without_picture:,}",
            f"{known.speed:,.1f}" if known.speed is not None else "",
            duration(known.seconds_left) if known.seconds_left is not None else "unknown",
        )
        for known in status.generations
    ]
    return terminal.table((*header, "a second", "time left"), rows, right=7)


def lines(status: BackfillStatus) -> list[str]:
    """Who follows, whether it is paused, and the first that are in quarantine."""
    follows = f"followed by {status.follower}" if status.follower else "followed by nobody"
    found = [f"collection {status.collection} is {follows}"]
    if status.paused:
        found.append(f"paused by {status.paused}: --resume has it go on")
    for known in status.generations:
        found += [
            f"quarantined in {known.id}: item {shown(entry.id)}: {entry.reason}"
            for entry in known.quarantine[:_LISTED]
        ]
        if known.quarantined > _LISTED:
            found.append(
                f"quarantined in {known.id}: {known.quarantined - _LISTED:,} more, --json lists them"
            )
    return found


def duration(seconds: float) -> str:
    """Such as "1 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
