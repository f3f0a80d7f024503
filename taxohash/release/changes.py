"""What changed between two versions of a catalogue: items that came, went, or have other labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Labelled = Mapping[str, frozenset[tuple[str, ...]]]


def labelled(ids: Sequence[str], labels: Sequence[Sequence[int]], paths: Sequence[Sequence[str]]) -> Labelled:
    """The label paths of each item, by its id: those can be compared between trees, numbers of labels cannot.

    Args:
        labels: of each item, as indices into `paths`.
    """
    known = [tuple(path) for path in paths]
    return {item: frozenset(known[label] for label in own) for item, own in zip(ids, labels, strict=True)}


@dataclass(frozen=True)
class Changes:
    """How many items changed.

    Attributes:
        added: are new.
        removed: are gone.
        relabelled: have other labels.
        kept: are in both versions, relabelled or not.
    """

    added: int
    removed: int
    relabelled: int
    kept: int


def changes(before: Labelled, after: Labelled) -> Changes:
    """Compare two versions of a catalogue."""
    both = before.keys() & after.keys()
    return Changes(
        added=len(after) - len(both),
        removed=len(before) - len(both),
        relabelled=sum(before[item] != after[item] for item in both),
        kept=len(both),
    )
