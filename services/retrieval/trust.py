"""What an answer says of itself: how likely items share the query's classes, the query's own path, and whether anything is like it.

What `Calibration` says of many answers at once, in plain Python: for the few of one search NumPy's calls would take most of the time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from taxohash.codes import Queries
from taxohash.generation.calibration import SURE, Calibration, Ranking
from taxohash.generation.hasher import ITEMS, Hasher

Result = Mapping[
    str, Any
]  # of a search, as the client gets it: `id`, `label_paths`, `distance`, and by weights `weighted_distance`


class Shares(NamedTuple):
    """Of each level of an item's path, coarse -> fine, the probability that the query is of that node; and as it is told."""

    exact: tuple[float, ...]
    told: list[float]


_NOTHING = Shares((), [])


class Trust:
    """How far the answers of one generation can be trusted. What was not measured when it was evaluated is not said.

    Attributes:
        nearest: nearest items that the query's own path is read from, whatever filter and k were asked for.
    """

    def __init__(self, calibration: Calibration, learned: frozenset[str]) -> None:
        self.nearest = calibration.nearest
        self._calibration, self._learned = calibration, learned
        self._at: dict[tuple[bool, int, int], Shares] = {}  # of Hamming distances, of which there are few

    @classmethod
    def of(cls, hasher: Hasher) -> "Trust | None":
        """That of a hasher's generation; None where it was not measured."""
        if hasher.calibration is None:
            return None
        learned = hasher.learned if ITEMS in hasher.generation.files else frozenset()
        return cls(hasher.calibration, learned)

    def probabilities(self, ranking: Ranking, results: Sequence[Result]) -> list[list[float]]:
        """Of each result, for each level of its first label's path, coarse to fine, the probability that the query is of that node.

        Empty for an item without a label, or where it was not measured for such items.
        """
        return [self._shares(ranking, result).told for result in results]

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
        """The query's own path, cut where it is no longer sure: name and confidence of each node; `nearest` as `of_query` has it.

        As `Calibration.predicted`: from the coarsest level down the node that the items below the one before support most, each by
        the probability that it shares the query's; of equal ones that of the nearer item.
        """
        seen = sum(result["id"] in self._learned for result in nearest)
        maps = [
            (items, of.of(ranking).predicted)
            for items, of in ((seen, self._calibration.seen), (len(nearest) - seen, self._calibration.new))
            if items and of
        ]
        below = [
            (paths[0], self._shares(ranking, result).exact)
            for result in nearest
            if (paths := result["label_paths"])
        ]
        told: list[dict[str, Any]] = []
        certain = 1.0
        while maps:
            level, support = len(told), dict[str, float]()
            for path, shares in below:
                if len(path) > level:
                    support[path[level]] = support.get(path[level], 0.0) + (shares[level] if shares else 0.0)
            if not support:
                break
            name = max(support, key=lambda node: round(support[node], 9))
            share = round(support[name], 9) / len(nearest)
            sure = sum(items * curves[level].at(share) for items, curves in maps) / sum(
                items for items, _ in maps
            )
            certain = min(certain, sure)
            if certain < SURE:
                break
            told.append({"name": name, "confidence": round(certain, 4)})
            below = [(path, shares) for path, shares in below if path[level : level + 1] == [name]]
        return told

    def unlike(self, query: Queries | None) -> dict[str, Any]:
        """Whether a picture is like nothing that the generation was made of, and its novelty as a multiple of what is still known;
        nothing of an item or a code, or where that was not measured."""
        found = self._calibration.strangeness(query.novelty) if query else None
        if found is None:
            return {}
        return {"unlike": bool(found[0] > 1), "novelty": round(float(found[0]), 3)}

    def _shares(self, ranking: Ranking, result: Result) -> Shares:
        """As `Calibration.shared`, of one result; nothing where it was not measured for such items, or it has no label."""
        if not (paths := result["label_paths"]):
            return _NOTHING
        is_seen, depth = result["id"] in self._learned, len(paths[0])
        if ranking == "weighted":
            return self._measured(ranking, result["weighted_distance"], is_seen, depth)
        at = is_seen, depth, result["distance"]
        if (known := self._at.get(at)) is None:
            known = self._at[at] = self._measured(ranking, result["distance"], is_seen, depth)
        return known

    def _measured(self, ranking: Ranking, distance: float, is_seen: bool, depth: int) -> Shares:
        exact = self._calibration.shares(ranking, distance, is_seen, depth)
        return Shares(exact, [round(share, 4) for share in exact])
