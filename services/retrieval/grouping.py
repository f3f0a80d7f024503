"""Answers by the nodes of one level of the taxonomy."""

from collections.abc import Sequence
from typing import Any

from services.web.refused import RefusedError
from taxohash.taxonomy import Taxonomy


def level_of(taxonomy: Taxonomy, name: str) -> int:
    """A level by its name, 0 for the coarsest.

    Raises:
        RefusedError: 400, there is none.
    """
    if name not in taxonomy.levels:
        raise RefusedError(
            400,
            "parameter",
            f"taxonomy {taxonomy.name!r} has no level {name[:60]!r}: give one of {', '.join(taxonomy.levels)}",
        )
    return taxonomy.levels.index(name)


def grouped(results: Sequence[dict[str, Any]], level: int) -> list[dict[str, Any]]:
    """The nodes at a level that answers have, in the order of their nearest one, each with the ids of its answers.

    A label path that ends before the level is its own node; an answer without a label is below the empty path.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for result in results:
        nodes = dict.fromkeys(tuple(path[: level + 1]) for path in result["label_paths"] or [()])
        for node in nodes:
            groups.setdefault(node, []).append(result["id"])
    return [{"path": list(node), "items": items} for node, items in groups.items()]
