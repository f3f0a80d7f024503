"""What an answer says of itself: how likely items share the query's classes, the query's own path, and whether anything is like it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Queries
from taxohash.generation.calibration import Calibration, Ranking, depths_of
from taxohash.generation.hasher import ITEMS, Hasher
from taxohash.taxonomy import Taxonomy

Result = Mapping[
    str, Any
]  # of a search, as the client gets it: `id`, `label_paths`, `distance`, and by weights `weighted_distance`


class Trust:
    """How far the answers of one generation can be trusted. What was not measured when it was evaluated is not said.

    Attributes:
        nearest: nearest items that the query's own path is read from, whatever filter and k were asked for.
    """

    def __init__(self, calibration: Calibration, taxonomy: Taxonomy, learned: frozenset[str]) -> None:
        self.nearest = calibration.nearest
        self._calibration, self._taxonomy, self._learned = calibration, taxonomy, learned
        self._labels = {path: label for label, path in enumerate(taxonomy.paths)}

    @classmethod
    def of(cls, hasher: Hasher) -> "Trust | None":
        """That of a hasher's generation; None where it was not measured."""
        if hasher.calibration is None:
            return None
        learned = hasher.learned if ITEMS in hasher.generation.files else frozenset()
        return cls(hasher.calibration, hasher.taxonomy, learned)

    def probabilities(self, ranking: Ranking, results: Sequence[Result]) -> list[list[float]]:
        """Of each result, for each level of its first label's path, coarse to fine, the probability that the query is of that node.

        Empty for an item without a label, or where it was not measured for such items.
        """
        shared, _, labels = self._shared(ranking, results)
        depths = depths_of(self._taxonomy, labels)
        return [
            [] if np.isnan(own[:depth]).any() else own[:depth].round(4).tolist()
            for own, depth in zip(shared, depths, strict=True)
        ]

    def of_query(
        self, ranking: Ranking, nearest: Sequence[Result], query: Queries | None = None
    ) -> dict[str, Any]:
        """What an answer says of the query itself: `predicted`, and of a picture `unlike` and `novelty`.

        What is like nothing known has no path.

        Args:
            nearest: the results of a search without filters for `self.nearest` items.
            query: what a picture asked with.
        """
        unlike = self.unlike(query)
        return {"predicted": [] if unlike.get("unlike") else self.predicted(ranking, nearest)} | unlike

    def predicted(self, ranking: Ranking, nearest: Sequence[Result]) -> list[dict[str, Any]]:
        """The query's own path, cut where it is no longer sure: name and confidence of each node; `nearest` as `of_query` has it."""
        shared, seen, labels = self._shared(ranking, nearest)
        path = self._calibration.predicted(ranking, self._taxonomy, shared, seen, labels)
        return [{"name": name, "confidence": round(confidence, 4)} for name, confidence in path]

    def unlike(self, query: Queries | None) -> dict[str, Any]:
        """Whether a picture is like nothing that the generation was made of, and its novelty as a multiple of what is still known;
        nothing of an item or a code, or where that was not measured."""
        found = self._calibration.strangeness(query.novelty) if query else None
        if found is None:
            return {}
        return {"unlike": bool(found[0] > 1), "novelty": round(float(found[0]), 3)}

    def _shared(
        self, ranking: Ranking, results: Sequence[Result]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
        """Probabilities float64[n, K], whether the hasher was trained on each item, and its first label, -1 for none."""
        name = "weighted_distance" if ranking == "weighted" else "distance"
        distances = np.array([result[name] for result in results], np.float64)
        seen = np.array([result["id"] in self._learned for result in results], np.bool_)
        firsts = [result["label_paths"][:1] for result in results]
        labels = np.array([self._labels[tuple(own[0])] if own else -1 for own in firsts], np.int32)
        return (
            self._calibration.shared(ranking, distances, seen, depths_of(self._taxonomy, labels)),
            seen,
            labels,
        )
