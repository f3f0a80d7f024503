"""What is looked at, and how sure an alarm has to be."""

from dataclasses import field
from typing import Annotated

from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Count, NonNegative, Positive, Seed, configuration

_EXCEEDANCES = 20  # simulated checks that raise an alarm: of fewer, the rate would be a guess


@configuration
class Tolerance:
    """Of each statistic, see `statistics`, the value up to which no alarm is raised, however sure it is that it is not chance."""

    bits: NonNegative = 0.0
    worst_bit: NonNegative = 0.0
    entropy: NonNegative = 0.0
    nearest: NonNegative = 0.0
    classes: NonNegative = 0.0
    unlike: NonNegative = 0.0
    recall: NonNegative = 0.0


@configuration
class Policy:
    """How a check is made.

    Attributes:
        hours: what was asked and stored in the last so many is looked at.
        queries_least: different pictures that were asked, of which anything is said.
        queries_most: of them that are looked at, the newest.
        items_least, items_most: likewise, of items that the API stored.
        false_alarms_every: checks, on average, between two alarms where nothing has changed; of nightly ones 365 are a year.
        simulations: checks without any change that are simulated to find out what is chance.
        seed: of these.
        tolerance: what is let pass.
    """

    hours: Positive = 24.0
    queries_least: Count = 100
    queries_most: Count = 2000
    items_least: Count = 100
    items_most: Count = 2000
    false_alarms_every: Annotated[int, Field(ge=2, le=10_000)] = 365
    simulations: Annotated[int, Field(ge=1000, le=1_000_000)] = 20_000
    seed: Seed = 0
    tolerance: Tolerance = field(default_factory=Tolerance)

    def __post_init__(self) -> None:
        if self.simulations < _EXCEEDANCES * self.false_alarms_every:
            raise TaxohashError(
                f"simulations = {self.simulations} are too few for a false alarm in {self.false_alarms_every} checks: "
                f"give {_EXCEEDANCES * self.false_alarms_every}"
            )
