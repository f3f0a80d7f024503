"""What a run of a pipeline comes to: as `taxohash pipeline run --json` prints it, and as whoever started it reads it."""

from dataclasses import field
from enum import StrEnum
from typing import Annotated

from pydantic import Strict

from taxohash.release.judging import Compared
from taxohash.runtime.configuration import NonNegative, Series, canonical, configuration, parse


class Verdict(StrEnum):
    """How a run ended: of one that makes a generation; of drift, steady, too few queries to say, or drifted; of a sweep, chosen."""

    PUBLISHED = "published"
    AWAITING = "awaiting approval"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    STEADY = "steady"
    TOO_FEW = "too few"
    DRIFTED = "drifted"
    CHOSEN = "chosen"


# Of the command that runs it.
EXIT_CODES = {
    Verdict.PUBLISHED: 0,
    Verdict.STEADY: 0,
    Verdict.TOO_FEW: 0,
    Verdict.CHOSEN: 0,
    Verdict.FAILED: 1,
    Verdict.AWAITING: 3,
    Verdict.REFUSED: 4,
    Verdict.DRIFTED: 5,
    Verdict.INTERRUPTED: 130,
}
# Of every command that refuses what it was given, before it begins anything: repeated, it says the same.
REFUSED_CODE = 2


@configuration
class Outcome:
    """What came of a run.

    Attributes:
        run: its name.
        pipeline: `retrain`, `reindex`, `drift` or `sweep`.
        collection: of the code store.
        verdict: how it ended.
        reason: why, in one sentence.
        started: Unix time in seconds.
        data_md5: the data version, of drift that of the generation that is served; empty where it was not known yet.
        changes: images `added`, `removed`, `relabelled`, `replaced` since the champion's data version, where that is known.
        champion: id of the generation that was published when it began, or empty.
        against: what the challenger was compared with: `champion` or `floor`; of drift, `reference`.
        compared: metrics, by which it was judged.
        generation: id of the one that it made, or empty.
        place: address of that generation, or empty.
        report: address of the report, or empty.
        would_change: what that generation would change in place of the champion, in one sentence; empty where that was not compared.
        comparison: address of the page that shows it, or empty.
        flags: of a sweep, those by which `taxohash pipeline run retrain` trains what it chose; else empty.
        seconds: of each step that ran, in their order; those that the cache answered for did not.
    """

    run: str
    pipeline: str
    collection: str
    verdict: Annotated[Verdict, Strict(False)]
    reason: str
    started: NonNegative
    data_md5: str = ""
    changes: dict[str, int] = field(default_factory=dict)
    champion: str = ""
    against: str = ""
    compared: Series[Compared] = ()
    generation: str = ""
    place: str = ""
    report: str = ""
    would_change: str = ""
    comparison: str = ""
    flags: str = ""
    seconds: dict[str, NonNegative] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON."""
        return canonical(self)

    @classmethod
    def of_json(cls, text: str) -> "Outcome":
        """What `to_json` wrote.

        Raises:
            TaxohashError: the text is no such thing.
        """
        return parse(cls, text)
