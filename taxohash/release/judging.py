"""What the judges of generations have in common: how far a difference may be trusted, and how much of one is let pass."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import NonNegative, Seed, Series, configuration

Verdict = Literal["passes", "awaits", "refused"]
Against = Literal["champion", "floor"]


@configuration
class Judging:
    """How a judge compares.

    Attributes:
        confidence: with which a difference lies in the interval that is told, of any number of queries.
        tolerance_least: a metric may be lower than before by this much, however many queries say so.
        tolerance_most: it may never be lower by more, however few queries there are; between the two the interval
            decides.
        resamples: draws of the queries from which an interval is made.
        seed: of these draws.
        approve: `never` publishes what passes; `always` seals it, and publishes when somebody approves.
    """

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    tolerance_least: NonNegative = 0.0
    tolerance_most: NonNegative = 1.0
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    seed: Seed = 0
    approve: Literal["never", "always"] = "never"

    def __post_init__(self) -> None:
        if self.tolerance_least > self.tolerance_most:
            raise TaxohashError(
                f"tolerance_least = {self.tolerance_least} is above tolerance_most = {self.tolerance_most}: "
                "lower the one or raise the other"
            )

    def tolerated(self, difference: float, high: float) -> bool:
        """Whether a difference is let pass, whose interval ends at `high`: what the queries leave open is half of that interval."""
        return difference >= -min(max(high - difference, self.tolerance_least), self.tolerance_most)


@configuration
class Compared:
    """One metric of what is judged.

    Attributes:
        metric: its name, such as mAP.
        value: of what is judged.
        bound: what it is held against: the champion's value, or the floor.
        difference: value - bound.
        low, high: the interval in which the difference lies with the judge's confidence; of what is counted, not
            estimated, both are the difference.
    """

    metric: str
    value: float
    bound: float
    difference: float
    low: float
    high: float


@configuration
class Finding:
    """What one rule says.

    Attributes:
        rule: its name.
        verdict: what it would have.
        reason: why, in one sentence with the numbers.
        compared: metrics that it looked at.
    """

    rule: str
    verdict: Verdict
    reason: str
    compared: Series[Compared] = ()

    @classmethod
    def passes(cls, rule: str, reason: str, compared: Sequence[Compared] = ()) -> Self:
        """It has nothing against it."""
        return cls(rule=rule, verdict="passes", reason=reason, compared=tuple(compared))

    @classmethod
    def refuses(cls, rule: str, reason: str, compared: Sequence[Compared] = ()) -> Self:
        """It does not let it pass."""
        return cls(rule=rule, verdict="refused", reason=reason, compared=tuple(compared))


@configuration
class Judgement:
    """What a judge says.

    Attributes:
        verdict: whether it passes, awaits a person's approval, or is refused.
        reason: one sentence with the numbers that decided.
        against: what the metrics were held against.
        compared: every metric.
        findings: what each rule says, where there are several.
    """

    verdict: Verdict
    reason: str
    against: Against
    compared: Series[Compared] = ()
    findings: Series[Finding] = ()

    @property
    def passed(self) -> bool:
        """Whether it may be published, at once or when somebody approves."""
        return self.verdict != "refused"
