"""The state of a backfill in words."""

from collections.abc import Iterator

from services.codestore.backfill.status import BackfillStatus, GenerationStatus
from taxohash.identifiers import shown

_LISTED = 20


def lines(status: BackfillStatus) -> Iterator[str]:
    """Of each live generation how far it is, who follows, whether it is paused, and the first that are in quarantine."""
    for known in status.generations:
        yield f"{known.id} ({known.state}): {_progress(known)}"
    yield f"collection {status.collection} is followed by {status.follower or 'nobody'}"
    if status.paused:
        yield f"paused by {status.paused}: --resume has it go on"
    for known in status.generations:
        for entry in known.quarantine[:_LISTED]:
            yield f"quarantined in {known.id}: item {shown(entry.id)}: {entry.reason}"
        if known.quarantined > _LISTED:
            yield f"quarantined in {known.id}: {known.quarantined - _LISTED:,} more, --json lists them"


def _progress(known: GenerationStatus) -> str:
    told = [f"{known.codes:,} of {known.members:,} items have a code"]
    counts = {
        "wait": known.waiting,
        "are in quarantine": known.quarantined,
        "have no picture": known.without_picture,
    }
    told += [f"{count:,} {what}" for what, count in counts.items() if count]
    if known.runner:
        told.append(f"encoded by {known.runner}")
    if known.speed is not None:
        told.append(f"{known.speed:,.1f} a second")
    if known.waiting and known.seconds_left is not None:
        told.append(f"{duration(known.seconds_left)} left")
    return ", ".join(told)


def duration(seconds: float) -> str:
    """Such as "1 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
