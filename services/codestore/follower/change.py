"""What was read of segments, as changes of a replica."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Rows, States, states_of
from services.codestore.follower.ids import Bytes, starts_of
from services.codestore.records import FINGERPRINTS, Columns
from taxohash.codes import Codes, check, code_bytes
from taxohash.errors import TaxohashError

MOST_ROWS = 2**32 - 2  # of an index, and of the table of ids


@dataclass(frozen=True, eq=False)
class Change:
    """Rows of one segment as they are from now on; all aligned.

    Attributes:
        rows: int64[n], global ones, each once.
        states: uint8[n], see `arrays.states_of`.
        ids: bytes in which the id of each member begins at `id_starts` int64[n].
        labels: int32[m], of which those of a row are labels[label_starts[i]:label_stops[i]].
        tags: by index in 0..n-1.
        codes: uint8[n, w].
        segment: of which they are.
        total: rows that it has now.
    """

    rows: Rows
    states: States
    ids: Bytes
    id_starts: Rows
    labels: npt.NDArray[np.int32]
    label_starts: Rows
    label_stops: Rows
    tags: Mapping[int, tuple[str, ...]]
    codes: Codes
    segment: int = 0
    total: int = 0

    @cached_property
    def places(self) -> Rows | slice:
        """The rows as a slice where they are as far apart as the first two: quicker to read and write."""
        rows = self.rows
        step = int(rows[1] - rows[0]) if len(rows) > 1 else 0
        if step > 0 and (rows[1:] - rows[:-1] == step).all():
            return slice(int(rows[0]), int(rows[-1]) + 1, step)
        return rows

    def of(self, chosen: Rows) -> "Change":
        """Of the rows at these indices."""
        places = np.full(len(self.rows), -1)
        places[chosen] = np.arange(len(chosen))
        tags = {int(places[i]): tags for i, tags in self.tags.items() if places[i] >= 0}
        return Change(
            self.rows[chosen], self.states[chosen], self.ids, self.id_starts[chosen], self.labels,
            self.label_starts[chosen], self.label_stops[chosen], tags, self.codes[chosen], self.segment, self.total,
        )  # fmt: skip


def collect(
    columns: Sequence[Columns], reset: Collection[int], held: Sequence[int], bits: int
) -> list[Change]:
    """What was read, one change a segment; what comes later counts.

    Args:
        reset: segments of which all rows that are not named are gone.
        held: rows known so far of each segment; those from a segment's new total on are gone.

    Raises:
        TaxohashError: columns that do not fit each other, the segments or the length of codes.
    """
    parts: dict[int, list[Columns]] = {
        segment: [] for segment in sorted({*reset, *(c.segment for c in columns)})
    }
    for part in columns:
        parts[part.segment].append(part)
    if parts and not 0 <= min(parts) <= max(parts) < len(held):
        raise TaxohashError(
            f"columns are of segments {min(parts)} to {max(parts)}: the collection has {len(held)}, from 0 on"
        )
    return [_change(segment, own, segment in reset, held, bits) for segment, own in parts.items()]


def _change(segment: int, columns: Sequence[Columns], reset: bool, held: Sequence[int], bits: int) -> Change:
    total = columns[-1].total if columns else 0
    if total * len(held) > MOST_ROWS:
        raise TaxohashError(f"segment {segment} has {total} rows: more than a replica can hold")
    parts = [_part(part, total, bits) for part in columns]
    gone = np.arange(0 if reset else total, held[segment])
    for part in parts if gone.size else ():
        gone = np.setdiff1d(gone, part.rows, assume_unique=True)
    if gone.size or not parts:
        parts.append(_free(gone, bits))
    change = _last_of_each_row(parts[0] if len(parts) == 1 else _joined(parts))
    return replace(change, rows=change.rows * len(held) + segment, segment=segment, total=total)


def _part(columns: Columns, total: int, bits: int) -> Change:
    """Columns as a change, by rows of the segment."""
    segment, count = columns.segment, len(columns.rows)
    parts = (columns.alive, columns.member, columns.coded, columns.labels, columns.fingerprints)
    aligned = {len(part) for part in parts}
    if aligned != {count} or (count and int(columns.rows.min()) < 0):
        raise TaxohashError(
            f"columns of segment {segment} do not have {count} rows from 0 on: read them again"
        )
    if columns.fingerprints.max(initial=0) > FINGERPRINTS:
        raise TaxohashError(
            f"segment {segment} has the fingerprint {columns.fingerprints.max()}: none is above {FINGERPRINTS}"
        )
    if columns.labels.flat.size and int(columns.labels.flat.min()) < 0:
        raise TaxohashError(
            f"segment {segment} has the label number {columns.labels.flat.min()}: none is below 0"
        )
    member = columns.member & columns.alive & (columns.rows < total)
    ids, offsets = np.frombuffer(columns.ids, np.uint8), columns.labels.offsets
    return Change(
        rows=columns.rows,
        states=states_of(member, columns.coded, columns.fingerprints),
        ids=ids,
        id_starts=starts_of(ids, count),
        labels=columns.labels.flat,
        label_starts=offsets[:-1],
        label_stops=np.where(member, offsets[1:], offsets[:-1]),
        tags={i: tags for i, tags in columns.tags.items() if member[i]},
        codes=check(columns.codes, bits, f"codes of segment {segment}", count),
    )


def _free(rows: Rows, bits: int) -> Change:
    """Rows that nothing has."""
    none, nothing = np.zeros(len(rows), np.int64), np.zeros(0, np.int32)
    codes = np.zeros((len(rows), code_bytes(bits)), np.uint8)
    return Change(rows, none.astype(np.uint8), nothing.view(np.uint8), none, nothing, none, none, {}, codes)


def _joined(parts: Sequence[Change]) -> Change:
    """One after the other."""
    rows, ids, labels = (
        np.cumsum([0, *sizes[:-1]]).tolist()
        for sizes in zip(*((len(part.rows), len(part.ids), len(part.labels)) for part in parts), strict=True)
    )
    return Change(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.id_starts + first for part, first in zip(parts, ids, strict=True)]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.label_starts + first for part, first in zip(parts, labels, strict=True)]),
        np.concatenate([part.label_stops + first for part, first in zip(parts, labels, strict=True)]),
        {first + i: tags for part, first in zip(parts, rows, strict=True) for i, tags in part.tags.items()},
        np.concatenate([part.codes for part in parts]),
    )


def _last_of_each_row(change: Change) -> Change:
    if (change.rows[1:] > change.rows[:-1]).all():
        return change
    order = np.argsort(change.rows, kind="stable")
    ascending = change.rows[order]
    return change.of(order[np.append(ascending[1:] > ascending[:-1], True)])
