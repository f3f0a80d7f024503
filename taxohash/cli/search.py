"""Searching in a generation's own codes, and an answer as a table in the terminal."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from taxohash.runtime import terminal
from taxohash.runtime.terminal import printable
from taxohash.taxonomy.agreement import majority_path


def search_generation(
    folder: Path, picture: Path, k: int, within: str | None, ranking: str = "weighted"
) -> dict[str, Any]:
    """The answer of a search in the codes of a generation, as the service gives it, without one.

    Raises:
        TaxohashError: a damaged generation, a file that is no picture, no such node, or k out of range.
    """
    from taxohash.generation.hasher import Hasher
    from taxohash.hamming import HammingIndex

    hasher = Hasher(folder)
    taxonomy, labels = hasher.taxonomy, hasher.labels
    query, index = hasher.encode_queries([picture]), HammingIndex.build(hasher.codes, hasher.bits)
    allowed = None if within is None else hasher.below(within)
    if ranking == "weighted":
        weighted, rows = index.search(query.codes, k, allowed, weights=query.weights)
        distances = index.distances(query.codes, rows[0])[None]
        shares = query.shares(weighted)[0].tolist()
    else:
        distances, rows = index.search(query.codes, k, allowed)
        shares = []
    results = [
        {
            "id": hasher.ids[row],
            "label_paths": [list(taxonomy.paths[label]) for label in labels[row]],
            "distance": distance,
        }
        for row, distance in zip(rows[0].tolist(), distances[0].tolist(), strict=True)
    ]
    for result, share in zip(results, shares, strict=False):
        result["weighted_distance"] = share
    majority = majority_path([result["label_paths"] for result in results])
    return {
        "generation": hasher.generation.id,
        "bits": hasher.bits,
        "code": query.codes.tobytes().hex(),
        "ranking": ranking,
        "majority": [{"name": name, "items": items} for name, items in majority],
        "results": results,
    }


def print_table(answer: dict[str, Any], console: Console | None = None) -> None:
    """Print an answer as a table; levels at which an item agrees with most answers are bold."""
    bits, results = answer["bits"], answer["results"]
    is_weighted = answer.get("ranking") == "weighted"
    most = [node["name"] for node in answer["majority"]]
    title = f"{len(results)} answers, generation {answer['generation']}, code {answer['code']}"
    rows = [
        (
            str(rank),
            result["id"],
            Text("\n").join(_marked(path, most) for path in result["label_paths"]),
            *([f"{result['weighted_distance']:.3f}"] if is_weighted else []),
            str(result["distance"]),
        )
        for rank, result in enumerate(results, 1)
    ]
    out = console or terminal.console()
    columns = ("", "item", "label", *(["by weights"] if is_weighted else []), f"distance of {bits}")
    out.print(terminal.table(columns, rows, title, right=1 + is_weighted))
    majority = " / ".join(f"{printable(node['name'])} ({node['items']})" for node in answer["majority"])
    otherwise = "no answer has a label" if results else "nothing found"
    out.print(Text(f"most agree on {majority}" if majority else otherwise))


def _marked(path: list[str], most: list[str]) -> Text:
    names = Text()
    for level, name in enumerate(path):
        agrees = path[: level + 1] == most[: level + 1]
        names.append(" / " if level else "").append(printable(name), "bold" if agrees else "dim")
    return names
