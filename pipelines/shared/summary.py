"""A run in eleven lines, for people."""

from services.runs import Outcome, Verdict
from taxohash.release.judging import Compared

_LONGEST = 4  # steps that are named


def lines(outcome: Outcome) -> list[str]:
    """What happened, what it was judged by, where to look, and how long it took."""
    return [
        f"run         {outcome.run}: {outcome.pipeline} of collection {outcome.collection!r}",
        f"data        {outcome.data_md5 or 'not known yet'}{_changes(outcome.changes)}",
        f"champion    {outcome.champion or _no_champion(outcome)}",
        f"metrics     {_metrics(outcome)}",
        f"verdict     {outcome.verdict.upper()}",
        f"reason      {outcome.reason}",
        f"generation  {outcome.generation or 'none was made'}{_at(outcome.place)}",
        f"report      {outcome.report or 'none'}",
        f"comparison  {_comparison(outcome)}",
        f"time        {_time(outcome)}",
        f"next        {_next(outcome)}",
    ]


def _changes(changes: dict[str, int]) -> str:
    if not changes:
        return ""
    told = [f"{count:,} {what}" for what, count in changes.items() if count]
    return f", since the champion's: {', '.join(told) or 'nothing changed'}"


def _no_champion(outcome: Outcome) -> str:
    """A sweep looks for none, and a run that ended early did not come to it."""
    return "none: nothing was published" if outcome.against == "floor" else "none was looked for"


def _metrics(outcome: Outcome) -> str:
    if not outcome.compared:
        return "none were compared"
    return f"against the {outcome.against}: " + "; ".join(_compared(part) for part in outcome.compared)


def _compared(part: Compared) -> str:
    """A metric and its bound; of what is counted, not estimated, there is no interval."""
    interval = f" ({part.low:+.4f} to {part.high:+.4f})" if part.low < part.high else ""
    return f"{part.metric} {part.value:.4f} for {part.bound:.4f}{interval}"


def _at(place: str) -> str:
    return f" in {place}" if place else ""


def _comparison(outcome: Outcome) -> str:
    return f"{outcome.comparison}: {outcome.would_change}" if outcome.comparison else "none"


def _time(outcome: Outcome) -> str:
    """All, and the steps that took the most of it; what is not told of was answered from the cache."""
    total = sum(outcome.seconds.values())
    longest = sorted(outcome.seconds.items(), key=lambda step: -step[1])[:_LONGEST]
    told = [f"{step} {minutes(spent)}" for step, spent in longest]
    return f"{minutes(total)} in {len(outcome.seconds)} steps ({', '.join(told)})"


def _next(outcome: Outcome) -> str:
    match outcome.verdict:
        case Verdict.AWAITING:
            return f"taxohash pipeline approve {outcome.generation} --collection {outcome.collection}"
        case Verdict.PUBLISHED:
            return "services swap by themselves; `taxohash store rollback` goes back"
        case Verdict.INTERRUPTED | Verdict.FAILED:
            return "put it right, then repeat the command: what was done is not done again"
        case Verdict.STEADY:
            return "nothing: what is served is asked what it was measured on"
        case Verdict.TOO_FEW:
            return "wait for more queries, or sample more of them (TAXOHASH_SAMPLE_SHARE); --policy queries_least says how many are enough"
        case Verdict.DRIFTED:
            return "look at the report; where it is right, add such pictures to the data and retrain"
        case Verdict.CHOSEN:
            return f"taxohash pipeline run retrain {outcome.flags}"
        case Verdict.REFUSED:
            return "look at the report; what is served stays as it is"


def minutes(seconds: float) -> str:
    """Seconds in words: 4.2 s, 3 min 20 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
