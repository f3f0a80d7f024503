"""What the metrics of retrieval health are held against: how held-out queries were answered when the generation was made."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from services import metrics
from taxohash.codes import unpack
from taxohash.errors import TaxohashError
from taxohash.generation.reference import Reference

if TYPE_CHECKING:
    from taxohash.generation.hasher import Hasher  # slow to import

LOG = logging.getLogger("taxohash")
BANDS = len(metrics.BAND.values)
NODES = metrics.NODE.most - 2
OTHER, NONE = "other", "none"


@dataclass(frozen=True)
class Expected:
    """Of one generation. What it does not know is empty.

    Attributes:
        queries: that the shares are of.
        ends: the greatest distance of each band but the last, rising.
        bands: share of each.
        nodes: the top nodes that are told by name, see `chosen_nodes`.
        tops: share of each label value of theirs.
        confidence: mean of each level.
        unlike: share, None where it is not known.
        bits: share of each that is set.
        recall: of the canaries, mean of each level.
        entropy: mean entropy of a bit of the codes of the items that the hasher was trained on.
    """

    queries: int = 0
    ends: tuple[int, ...] = ()
    bands: tuple[float, ...] = ()
    nodes: tuple[str, ...] = ()
    tops: Mapping[str, float] = field(default_factory=dict)
    confidence: tuple[float, ...] = ()
    unlike: float | None = None
    bits: tuple[float, ...] = ()
    recall: tuple[float, ...] = ()
    entropy: float | None = None

    @classmethod
    def of(cls, hasher: "Hasher") -> "Expected":
        """That of a hasher's generation; one whose file cannot be read is served all the same."""
        tops = [path[0] for path in hasher.taxonomy.class_paths(0)]
        entropy = hasher.generation.bit_health.get("entropy")
        health = None if entropy is None else float(entropy)
        try:
            return cls.made(Reference.known(hasher.folder, hasher.generation), tops, health)
        except TaxohashError as error:
            LOG.warning("what is asked is held against nothing: %s", error)
            return cls.made(None, tops, health)

    @classmethod
    def made(
        cls, reference: Reference | None, tops: Sequence[str], entropy: float | None = None
    ) -> "Expected":
        """That of a reference.

        Args:
            tops: names of the top nodes, in the order of their numbers.

        Raises:
            TaxohashError: the reference has other top nodes.
        """
        if reference is None or not len(reference):
            return cls(nodes=chosen_nodes(tops, np.zeros(len(tops), np.int64)), entropy=entropy)
        counts = np.zeros(len(tops) + 1, np.int64)
        if reference.told is not None:
            counts = np.bincount(reference.told + 1, minlength=len(tops) + 1)
            if len(counts) > len(tops) + 1:
                raise TaxohashError(
                    f"the reference has {len(counts) - 1} top nodes, the taxonomy {len(tops)}: build the generation again"
                )
        nodes = chosen_nodes(tops, counts[1:])
        ends = band_ends(reference.nearest, reference.bits)
        distances = np.bincount(reference.nearest, minlength=reference.bits + 1)
        return cls(
            queries=len(reference),
            ends=ends,
            bands=_told(banded(distances, ends) / len(reference)),
            nodes=nodes,
            tops={} if reference.told is None else _shares(counts / len(reference), tops, nodes),
            confidence=_means(reference.confidence),
            unlike=None if reference.unlike is None else float(reference.unlike.mean()),
            bits=() if reference.codes is None else _means(unpack(reference.codes, reference.bits)),
            recall=_means(reference.canaries),
            entropy=entropy,
        )


def band_ends(distances: npt.NDArray[np.integer], bits: int) -> tuple[int, ...]:
    """The greatest distance of each band but the last, where bands have about as many of the distances int[M] each.

    Bands have whole distances: where many queries have the same there are fewer. What is farther than all queries of the
    reference falls into the last band, whether any of these do or not, so that it is seen.
    """
    rising = np.sort(distances)
    at = np.ceil(np.arange(1, BANDS) * len(rising) / BANDS).astype(np.int64) - 1
    return tuple(end for end in np.unique(rising[np.maximum(at, 0)]).tolist() if end < bits)


def banded(counts: npt.NDArray[np.int64], ends: Sequence[int]) -> npt.NDArray[np.int64]:
    """int64[bands]: queries in each band, of int64[bits + 1] at each distance."""
    return np.array([part.sum() for part in np.split(counts, np.array(ends, np.int64) + 1)], np.int64)


def chosen_nodes(tops: Sequence[str], counts: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """The top nodes that are told by name, those with the most queries int64[tops] first.

    One that is called as what stands for the others is one of the others.
    """
    order = np.argsort(-counts, kind="stable").tolist()
    return tuple([tops[top] for top in order if tops[top] not in (OTHER, NONE)][:NODES])


def node_labels(tops: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    """The values of the label, all that an answer may be counted by; `other` only where there are others."""
    return (*nodes, *([OTHER] if len(nodes) < len(tops) else []), NONE)


def _shares(shares: npt.NDArray[np.float64], tops: Sequence[str], nodes: Sequence[str]) -> dict[str, float]:
    """Of each label value, of the shares float64[1 + tops] of none and of each top node."""
    found = dict.fromkeys(node_labels(tops, nodes), 0.0)
    for name, share in zip(("", *tops), shares.tolist(), strict=True):
        label = (name if name in nodes else OTHER) if name else NONE
        found[label] += share
    return found


def _means(values: npt.NDArray[Any] | None) -> tuple[float, ...]:
    """Of the columns; nothing where there are no rows."""
    return () if values is None or not len(values) else _told(values.mean(axis=0, dtype=np.float64))


def _told(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
