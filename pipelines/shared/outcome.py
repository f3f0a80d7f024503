"""The outcome of a run, of what its steps noted and told."""

import time
from collections.abc import Sequence

from pipelines.shared.events import Event, failure, seconds
from pipelines.shared.record import Record
from services.runs import Outcome, Verdict
from taxohash.runtime.configuration import read


def outcome(record: Record, told: Sequence[Event], error: str = "", interrupted: bool = False) -> Outcome:
    """What came of a run that has ended.

    Args:
        told: events of its steps.
        error: what whoever ran it says of its end; empty if it ended well.
        interrupted: whether somebody stopped it.
    """
    begun, judged, ended = (record.noted(name) for name in ("begun", "judgement", "ended"))
    data, generation, compared = (record.noted(name) for name in ("data", "generation", "comparison"))
    verdict, reason = _verdict(ended, told, error, interrupted)
    return read(
        Outcome,
        {
            "run": record.folder.name,
            "pipeline": begun.get("pipeline", ""),
            "collection": begun.get("collection", ""),
            "started": begun.get("time", told[0].time if told else time.time()),
            "verdict": verdict,
            "reason": reason,
            "data_md5": data.get("md5", ""),
            "changes": data.get("changes", {}),
            "champion": record.noted("champion").get("id", ""),
            "against": judged.get("against", ""),
            "compared": judged.get("compared", []),
            "generation": generation.get("id", ""),
            "place": generation.get("place", ""),
            "report": judged.get("report", ""),
            "would_change": compared.get("would_change", ""),
            "comparison": compared.get("page", ""),
            "flags": ended.get("flags", ""),
            "seconds": seconds(told),
        },
    )


def _verdict(
    ended: dict[str, str], told: Sequence[Event], error: str, interrupted: bool
) -> tuple[Verdict, str]:
    if "verdict" in ended:  # a pointer that has moved does not move back when what follows fails
        return Verdict(ended["verdict"]), ended["reason"]
    if interrupted:
        return Verdict.INTERRUPTED, "the same command goes on from here"
    failed = failure(told)
    if failed is None:
        return Verdict.FAILED, error or "it ended before it came to a verdict"
    return Verdict.FAILED, f"step {failed.step}: {failed.reason or error or 'it ended without a word'}"
