"""What the answers to one search have in common: how far down the label tree most of them agree."""

from collections.abc import Sequence

Path = Sequence[str]


def majority_path(answers: Sequence[Sequence[Path]]) -> list[tuple[str, int]]:
    """The node most answers share, from the coarsest level down, with the number of answers under it.

    At each level the name that most of the answers below the node so far have in one of their label paths; of
    equal ones that of the nearer answer, `answers` being sorted by distance. Ends where no answer goes deeper.
    """
    majority: list[tuple[str, int]] = []
    below = [(answer, path) for answer, paths in enumerate(answers) for path in paths]
    while True:
        level = len(majority)
        names: dict[str, set[int]] = {}
        for answer, path in below:
            if len(path) > level:
                names.setdefault(path[level], set()).add(answer)
        if not names:
            return majority
        most = max(names, key=lambda name: len(names[name]))  # of equal ones the first
        majority.append((most, len(names[most])))
        below = [(answer, path) for answer, path in below if len(path) > level and path[level] == most]


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
