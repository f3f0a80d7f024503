"""What Prometheus answers, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

Labels = Mapping[str, str]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """One series: float64[T] of Unix times, and values, NaN where there is none."""

    labels: Labels
    times: Numbers
    values: Numbers

    @property
    def last(self) -> float:
        """Its last value that is one."""
        known = self.values[~np.isnan(self.values)]
        return float(known[-1]) if len(known) else float("nan")


@dataclass(frozen=True)
class Source:
    """A Prometheus, and the time of it that is shown.

    Attributes:
        begin, end: Unix times.
        step: seconds between two values.
    """

    url: str
    begin: float
    end: float
    step: float

    def over_time(self, expr: str) -> list[Series]:
        """Values at each step."""
        asked = {"query": expr, "start": self.begin, "end": self.end, "step": self.step}
        times = np.arange(self.begin, self.end + self.step / 2, self.step)
        return [self._of(one, times) for one in self._ask("query_range", asked)]

    def now(self, expr: str) -> list[Series]:
        """Values at the end."""
        told = self._ask("query", {"query": expr, "time": self.end})
        return [
            Series(_labels(one), np.array([one["value"][0]]), np.array([float(one["value"][1])]))
            for one in told
        ]

    def _of(self, told: dict[str, Any], times: Numbers) -> Series:
        values = np.full(len(times), np.nan)
        for time, value in told["values"]:
            values[round((time - self.begin) / self.step)] = float(value)
        return Series(_labels(told), times, values)

    def _ask(self, what: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        answer = httpx.post(f"{self.url}/api/v1/{what}", data=asked, timeout=60)
        told = answer.json()
        if told["status"] != "success":
            raise AssertionError(f"{told['error']}: {asked['query']}")
        found: list[dict[str, Any]] = told["data"]["result"]
        return found


def _labels(told: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in told["metric"].items() if name != "__name__"}
