"""What the answers to one search have in common: how far down the label tree most of them agree."""

from collections.abc import Sequence

Path = Sequence[str]


def majority_path(answers: Sequence[Sequence[Path]]) -> list[tuple[str, int]]:
    """The node most answers share, from the coarsest level down, with the number of answers under it.

    At each level the name that most of the answers below the node so far have in one of their label paths; of
    equal ones that of the nearer answer, `answers` being sorted by distance. Ends where no answer goes deeper.
    """
    majority: list[tuple[str, int]] = []
    below = list(answers)
    while True:
        level = len(majority)
        below = [[path for path in paths if len(path) > level] for paths in below]
        names: dict[str, int] = {}
        for paths in below:
            for name in {path[level]: None for path in paths}:
                names[name] = names.get(name, 0) + 1
        if not names:
            return majority
        majority.append(max(names.items(), key=lambda counted: counted[1]))  # of equal ones the first
        below = [[path for path in paths if path[level] == majority[level][0]] for paths in below]


def agreed_levels(paths: Sequence[Path], majority: Sequence[tuple[str, int]]) -> int:
    """Number of levels, from the coarsest down, at which the best of an answer's label paths runs with the majority's."""
    return max((_levels_shared(path, majority) for path in paths), default=0)


def _levels_shared(path: Path, majority: Sequence[tuple[str, int]]) -> int:
    agreed = 0
    for name, (most, _items) in zip(path, majority, strict=False):
        if name != most:
            break
        agreed += 1
    return agreed
