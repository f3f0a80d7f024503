"""Open every row of a data set folder and tell what is wrong with it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taxohash.datasets.dataset import Dataset
from taxohash.datasets.digests import pixel_digests
from taxohash.datasets.ids import id_faults
from taxohash.datasets.splits import CANARY
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import some
from taxohash.taxonomy import Labels, Taxonomy
from taxohash.taxonomy.twins import twins

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """One line: an error makes the set unfit for training, a warning is worth knowing."""

    severity: Literal["error", "warning"]
    text: str


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        dataset: that was checked.
        md5: its identity.
        images: for each readable split its number of images.
        counts: for each split with sound labels the images of every label, int64[labels].
        findings: errors first.
    """

    dataset: Dataset
    md5: str
    images: dict[str, int]
    counts: dict[str, Counts]
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON holds it; counts by the paths of the labels."""
        names = ["/".join(path) for path in self.dataset.taxonomy.paths]
        return {
            "folder": str(self.dataset.folder),
            "name": self.dataset.taxonomy.name,
            "md5": self.md5,
            "ok": self.ok,
            "images": self.images,
            "labels": {
                split: dict(zip(names, counts.tolist(), strict=True)) for split, counts in self.counts.items()
            },
            "findings": [asdict(finding) for finding in self.findings],
        }


def check(folder: str | Path, *, progress: bool = True) -> Check:
    """Check the columns, labels, images, duplicates and class counts of a data set folder.

    Raises:
        TaxohashError: the folder or its taxonomy cannot be opened at all.
    """
    dataset = Dataset.open(folder)
    findings: list[Finding] = []
    labels: dict[str, list[Labels]] = {}
    digests: dict[str, list[bytes]] = {}
    for split in dataset.splits:
        try:
            digests[split], failures = pixel_digests(dataset, split, progress=progress)
            findings += [Finding("error", f"row {row} of {split}: {reason}") for row, reason in failures]
            findings += [Finding("error", fault) for fault in id_faults(dataset, split)]
            if dataset.label_column(split) is None:
                findings.append(Finding("warning", f"split {split} has no labels"))
            else:
                labels[split] = dataset.label_sets(split)
        except TaxohashError as error:
            findings.append(Finding("error", str(error)))
    images = {split: len(rows) for split, rows in digests.items()}
    counts = {split: _count(sets, len(dataset.taxonomy)) for split, sets in labels.items()}
    findings += _empty_splits(images)
    findings += _label_sets(labels)
    findings += _names(dataset.taxonomy)
    findings += _classes(dataset.taxonomy, counts)
    findings += _duplicates(digests, labels)
    findings.sort(key=lambda finding: finding.severity)
    return Check(dataset, dataset.md5(), images, counts, findings)


def _count(sets: list[Labels], classes: int) -> Counts:
    flat = np.concatenate(sets) if sets else np.empty(0, np.int32)
    return np.bincount(flat, minlength=classes)


def _empty_splits(images: dict[str, int]) -> Iterator[Finding]:
    for split, count in images.items():
        if count == 0:
            yield Finding("error", f"split {split} has no rows")


def _label_sets(labels: dict[str, list[Labels]]) -> Iterator[Finding]:
    for split, sets in labels.items():
        if repeated := [row for row, own in enumerate(sets) if len(set(own.tolist())) < len(own)]:
            yield Finding(
                "error", f"{len(repeated)} images of {split} list a label twice: rows {some(repeated)}"
            )
        if empty := [row for row, own in enumerate(sets) if len(own) == 0]:
            yield Finding("warning", f"{len(empty)} images of {split} have no label: rows {some(empty)}")


def _names(taxonomy: Taxonomy) -> Iterator[Finding]:
    alike = [f"{'/'.join(one)!a} and {'/'.join(other)!a}" for one, other in twins(taxonomy.paths)]
    if alike:
        yield Finding(
            "warning",
            f"{len(alike)} names differ from another in case or in their encoding alone: {some(alike)}",
        )
    odd = sorted({name for path in taxonomy.paths for name in path if not name.isprintable()})
    if odd:
        yield Finding(
            "warning", f"{len(odd)} names have characters that cannot be seen: {some(map(ascii, odd))}"
        )


def _classes(taxonomy: Taxonomy, counts: dict[str, Counts]) -> Iterator[Finding]:
    if not counts:
        return
    names = ["/".join(path) for path in taxonomy.paths]
    if unused := [names[label] for label in np.flatnonzero(sum(counts.values()) == 0)]:
        yield Finding("warning", f"{len(unused)} of {len(names)} labels have no image: {some(unused)}")
    for split in counts:
        if split != "train" and "train" in counts:
            unseen = np.flatnonzero((counts[split] > 0) & (counts["train"] == 0))
            if unseen.size:
                told = some(names[label] for label in unseen)
                yield Finding("warning", f"{unseen.size} labels of {split} have no image in train: {told}")
    if CANARY in counts:
        found = sum(own for split, own in counts.items() if split != CANARY)
        if bare := [names[label] for label in np.flatnonzero((found > 0) & (counts[CANARY] == 0))]:
            yield Finding(
                "warning",
                f"{len(bare)} labels have no image in {CANARY}, so that nothing watches them: {some(bare)}",
            )


def _duplicates(digests: dict[str, list[bytes]], labels: dict[str, list[Labels]]) -> Iterator[Finding]:
    """Equal pixels within a split and across two, and how many of the pairs disagree on the label."""
    first_rows = {split: _first_rows(rows) for split, rows in digests.items()}
    splits = list(digests)
    for position, split in enumerate(splits):
        repeated = [
            row for row, digest in enumerate(digests[split]) if digest and first_rows[split][digest] != row
        ]
        pairs = [(first_rows[split][digests[split][row]], row) for row in repeated]
        if pairs:
            text = f"{len(pairs)} images of {split} repeat an earlier one of it"
            yield Finding("warning", text + _disagreement(pairs, labels.get(split), labels.get(split)))
        for other in splits[:position]:
            pairs = [
                (first_rows[other][digest], row)
                for row, digest in enumerate(digests[split])
                if digest in first_rows[other]
            ]
            if pairs:
                text = f"{len(pairs)} images of {split} are also in {other}"
                yield Finding("warning", text + _disagreement(pairs, labels.get(other), labels.get(split)))


def _first_rows(digests: list[bytes]) -> dict[bytes, int]:
    return {digest: row for row, digest in reversed(list(enumerate(digests))) if digest}


def _disagreement(pairs: list[tuple[int, int]], left: list[Labels] | None, right: list[Labels] | None) -> str:
    example = f", row {pairs[0][1]} = row {pairs[0][0]}"
    if left is None or right is None:
        return example
    disagreeing = sum(set(left[a].tolist()) != set(right[b].tolist()) for a, b in pairs)
    return f"{example}; {disagreeing} with another label"
