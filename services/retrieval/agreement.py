"""What the answers to one search have in common: how far down the label tree most of them agree."""

from collections import Counter
from collections.abc import Sequence

Path = Sequence[str]


def majority_path(paths: Sequence[Path]) -> list[tuple[str, int]]:
    """The node most answers share, from the coarsest level down, with the number of answers under it.

    At each level the name that most of the answers below the node so far have; of equal ones that of the
    nearer answer, `paths` being sorted by distance. Ends where no answer goes deeper.
    """
    majority: list[tuple[str, int]] = []
    below = list(paths)
    while names := [path[len(majority)] for path in below if len(path) > len(majority)]:
        name, items = Counter(names).most_common(1)[0]
        below = [path for path in below if len(path) > len(majority) and path[len(majority)] == name]
        majority.append((name, items))
    return majority


def agreed_levels(path: Path, majority: Sequence[tuple[str, int]]) -> int:
    """Number of levels, from the coarsest down, at which a label path runs with the majority's."""
    agreed = 0
    for name, (most, _items) in zip(path, majority, strict=False):
        if name != most:
            break
        agreed += 1
    return agreed
