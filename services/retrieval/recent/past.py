"""The past: what the series were at one time after another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.retrieval.recent.reading import Key

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Past:
    """Readings, the oldest first; never changed, so that one thread makes the next while others look at this one.

    Attributes:
        times: [n] Unix times.
        numbers: [n] of the readings, counted from the start.
        generations: [n] ids of what was served; empty: nothing.
        keys: the series, by their column.
        values: [n, columns] NaN where there was none.
    """

    times: F64
    numbers: I64
    generations: tuple[str, ...]
    keys: tuple[Key, ...]
    values: F64

    @classmethod
    def none(cls) -> "Past":
        """Nothing yet."""
        return cls(np.empty(0), np.empty(0, np.int64), (), (), np.empty((0, 0)))

    def __len__(self) -> int:
        """Number of readings."""
        return len(self.times)

    def then(self, time: float, generation: str, told: Mapping[Key, float], most: int) -> "Past":
        """With one more reading, and the last `most` of all."""
        start = max(len(self) + 1 - most, 0)
        number = int(self.numbers[-1]) + 1 if len(self) else 0
        left = self.values[start:]
        gone = [
            bool(np.isnan(column).all()) for column in left.T
        ]  # a column that no reading has any more goes
        keys = tuple(key for key, is_gone in zip(self.keys, gone, strict=True) if key in told or not is_gone)
        columns = {key: column for column, key in enumerate(self.keys)}
        new = [key for key in told if key not in columns]
        values = np.full((len(left) + 1, len(keys) + len(new)), np.nan)
        values[:-1, : len(keys)] = left[:, [columns[key] for key in keys]]
        keys += tuple(new)
        values[-1] = [told.get(key, np.nan) for key in keys]
        return Past(
            np.append(self.times[start:], time),
            np.append(self.numbers[start:], number),
            (*self.generations[start:], generation),
            keys,
            values,
        )

    def column(self, key: Key) -> F64:
        """[n] A series; NaN where there was none."""
        if key not in self.keys:
            return np.full(len(self), np.nan)
        return self.values[:, self.keys.index(key)]

    def labels(self, name: str) -> list[str]:
        """What a series is kept apart by, in the last reading."""
        return [
            key.label
            for key, value in zip(self.keys, self.values[-1] if len(self) else (), strict=False)
            if key.name == name and not np.isnan(value)
        ]

    def swaps(self) -> list[int]:
        """The readings that were the first of a generation, but where it is that of the first reading."""
        return [i for i in range(1, len(self)) if self.generations[i] not in ("", self.generations[i - 1])]


@dataclass(frozen=True)
class Spans:
    """Spans of time that each end at one of some readings: what was counted within them, and what there was at their ends.

    Attributes:
        ends, starts: [m] readings.
    """

    past: Past
    ends: I64
    starts: I64

    @classmethod
    def of(cls, past: Past, ends: I64, seconds: float, of_generation: bool = False) -> "Spans":
        """Those of so many seconds, or as many as there are.

        Args:
            of_generation: they begin with the generation at their ends, or later.
        """
        starts = np.searchsorted(past.times, past.times[ends] - seconds).astype(np.int64)
        if of_generation:
            named = np.asarray(past.generations, object)
            changed = np.flatnonzero(np.r_[True, named[1:] != named[:-1]]) if len(past) else np.empty(0, int)
            starts = np.maximum(starts, changed[np.searchsorted(changed, ends, side="right") - 1])
        return cls(past, ends, starts)

    @property
    def seconds(self) -> F64:
        """[m] How long each is."""
        found: F64 = self.past.times[self.ends] - self.past.times[self.starts]
        return found

    def last(self, name: str, label: str = "") -> F64:
        """[m] What a series was at the end."""
        return self.past.column(Key(name, label))[self.ends]

    def grown(self, name: str, label: str = "") -> F64:
        """[m] By how much a counter grew; NaN where it is not there."""
        column = self.past.column(Key(name, label))
        begun = column[self.starts]
        # One that was not there yet began at 0, within the span.
        grown: F64 = column[self.ends] - np.where(np.isnan(begun), 0.0, begun)
        return grown

    def summed(self, name: str, *labels: str) -> F64:
        """[m] By how much counters grew together, of those that are there; 0 where none is."""
        if not labels:
            return np.nan_to_num(self.grown(name))
        grown: F64 = np.sum([np.nan_to_num(self.grown(name, label)) for label in labels], axis=0)
        return grown

    def rate(self, grown: F64) -> F64:
        """[m] So much a second; NaN where no time went by."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found: F64 = np.where(self.seconds > 0, grown / self.seconds, np.nan)
        return found
