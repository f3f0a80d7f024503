"""Names that people take for one: siblings that differ in case or in how their letters are encoded alone."""

import unicodedata
from collections.abc import Iterable, Iterator

Path = tuple[str, ...]


def twins(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Pairs of nodes with the same parent whose names are equal after Unicode normalisation and case folding."""
    nodes = sorted({path[:length] for path in paths for length in range(1, len(path) + 1)})
    first: dict[Path, Path] = {}
    for node in nodes:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", node[-1]).casefold())
        if (other := first.setdefault((*node[:-1], folded), node)) != node:
            yield other, node
