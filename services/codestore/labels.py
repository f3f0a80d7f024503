"""Label numbers: what items are labelled with, the same through every version of a collection's taxonomy.

A label is an index into the paths of one taxonomy, and another one gives the index to another label. So a collection numbers
its labels: in version 1 the number is the index; later a label keeps its number where its path stays or is said to have been
renamed or moved; a new one takes the next number; one that is removed is retired, and its number is never given to another.
Generations name their taxonomy, which is one of the versions: numbers that it cannot say are -1 in it. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Series, configuration, parse
from taxohash.taxonomy import Taxonomy
from taxohash.taxonomy.file import Name

Path = tuple[str, ...]
Int32 = npt.NDArray[np.int32]

UNKNOWN = -1  # a number that a taxonomy has no label for
MAX_NUMBERS = 2**31 - 1

_Whole = Annotated[int, Field(ge=0, le=MAX_NUMBERS)]


@dataclass(frozen=True, eq=False)
class LabelNumbers:
    """The taxonomy versions of a collection and the numbers of their labels; made by `first`, `grown` and `from_json`.

    Attributes:
        taxonomies: version 1, 2, ...; the newest is the last.
        columns: for each version int32[labels], the number of each of its labels.
    """

    taxonomies: tuple[Taxonomy, ...]
    columns: tuple[Int32, ...]

    @classmethod
    def first(cls, taxonomy: Taxonomy) -> "LabelNumbers":
        """Version 1: the number of a label is its index."""
        return cls((taxonomy,), (np.arange(len(taxonomy), dtype=np.int32),))

    @property
    def version(self) -> int:
        """The newest version; they are counted from 1."""
        return len(self.taxonomies)

    @property
    def taxonomy(self) -> Taxonomy:
        """The newest one."""
        return self.taxonomies[-1]

    @cached_property
    def total(self) -> int:
        """How many numbers were ever given: 0 to total - 1."""
        return max(int(column.max()) for column in self.columns) + 1

    def grown(self, taxonomy: Taxonomy, renamed: Mapping[Path, Path] | None = None) -> "LabelNumbers":
        """With one version more; these themselves when the taxonomy is the newest version already.

        Args:
            taxonomy: the new version.
            renamed: new paths by old ones, of labels or of nodes, whose labels all move with them; of several that fit, the
                longest. The path of a label that was retired takes it back (also to itself): it has its number again.

        Raises:
            TaxohashError: the levels have other names; fewer than half of the labels remain, so that it seems to be another
                taxonomy; or a renaming names a path that is not there, or that another label has.
        """
        if taxonomy.sha256 == self.taxonomy.sha256 and not renamed:
            return self
        if taxonomy.level_names != self.taxonomy.level_names:
            raise TaxohashError(
                f"taxonomy {taxonomy.name!r} has the levels {_listed(taxonomy.levels)}, the collection has"
                f" {_listed(self.taxonomy.levels)}: a collection keeps its levels, make another one"
            )
        sources = self._sources(taxonomy, dict(renamed or {}))
        known = dict(zip(self.taxonomy.paths, self.columns[-1].tolist(), strict=True))
        remaining = sum(source in known for source in sources.values())
        if 2 * remaining < len(known):
            raise TaxohashError(
                f"taxonomy {taxonomy.name!r} keeps {remaining} of the {len(known)} labels, fewer than half:"
                " it seems to be another one; name what was renamed, or make another collection"
            )
        known = {**self._retired, **known}
        following = count(self.total)
        numbers = [known[sources[path]] if path in sources else next(following) for path in taxonomy.paths]
        return LabelNumbers((*self.taxonomies, taxonomy), (*self.columns, np.array(numbers, np.int32)))

    def version_of(self, taxonomy_sha256: str) -> int:
        """The newest version with this identity, such as that of a generation's taxonomy.

        Raises:
            TaxohashError: none has it.
        """
        for version in range(self.version, 0, -1):
            if self.taxonomies[version - 1].sha256 == taxonomy_sha256:
                return version
        raise TaxohashError(
            f"taxonomy {taxonomy_sha256} is no version of {self.taxonomies[0].name!r}: grow the collection by it first"
        )

    def numbers(self, version: int | None = None) -> Int32:
        """int32[labels]: the number of each label of a version, of the newest one by default."""
        return self.columns[-1 if version is None else self._checked(version) - 1]

    def labels(self, taxonomy_sha256: str | None = None) -> Int32:
        """int32[total]: for each number the label (index) of a taxonomy by its identity, -1 where it cannot say it.

        Of the newest version by default. Where a taxonomy was left and taken again, what any of its versions says counts; of
        several the newest.
        """
        wanted = taxonomy_sha256 or self.taxonomy.sha256
        self.version_of(wanted)
        found = np.full(self.total, UNKNOWN, np.int32)
        for taxonomy, column in zip(self.taxonomies, self.columns, strict=True):
            if taxonomy.sha256 == wanted:
                found[column] = np.arange(len(column), dtype=np.int32)
        return found

    def number_of(self, path: Path) -> int:
        """The number of a label of the newest version.

        Raises:
            TaxohashError: it has no such label.
        """
        return int(self.columns[-1][self.taxonomy.label(path)])

    def path_of(self, number: int) -> Path:
        """The path of a number in the newest version that has it.

        Raises:
            TaxohashError: no version has it.
        """
        for taxonomy, column in zip(reversed(self.taxonomies), reversed(self.columns), strict=True):
            found = np.flatnonzero(column == number)
            if len(found):
                return taxonomy.paths[int(found[0])]
        raise TaxohashError(
            f"label number {number} was never given: the collection has 0 to {self.total - 1}"
        )

    @cached_property
    def retired(self) -> Int32:
        """int32[n]: numbers that the newest version has no label for, ascending."""
        return np.setdiff1d(np.arange(self.total, dtype=np.int32), self.columns[-1])

    def to_json(self) -> str:
        """Compact text: each path once, numbers as runs."""
        return _written(self)

    @classmethod
    def from_json(cls, text: str, where: str = "of the collection") -> "LabelNumbers":
        """Inverse of `to_json`; `where` names it in errors.

        Raises:
            TaxohashError: the text is none that `to_json` gives.
        """
        try:
            return _read(parse(_File, text))
        except TaxohashError as error:
            raise TaxohashError(f"label numbers {where} are damaged: {error}") from None

    @cached_property
    def _retired(self) -> dict[Path, int]:
        """Retired numbers by the path that they had last; where two had the same, the one that had it later."""
        missing = set(self.retired.tolist())
        last: dict[int, Path] = {}
        for taxonomy, column in zip(self.taxonomies, self.columns, strict=True):
            for number, path in zip(column.tolist(), taxonomy.paths, strict=True):
                if number in missing:
                    last.pop(number, None)
                    last[number] = path
        return {path: number for number, path in last.items()}

    def _checked(self, version: int) -> int:
        if not 1 <= version <= self.version:
            raise TaxohashError(
                f"the collection has no taxonomy version {version}: it has 1 to {self.version}"
            )
        return version

    def _sources(self, taxonomy: Taxonomy, renamed: dict[Path, Path]) -> dict[Path, Path]:
        """For each path of the new taxonomy that has a number already, the path that has it now."""
        current, new = set(self.taxonomy.paths), set(taxonomy.paths)
        moved = self._moved(new, renamed)
        sources = {path: path for path in new & current - moved.keys()}
        for old, path in moved.items():
            if path in sources:
                raise TaxohashError(
                    f"{_shown(old)} and {_shown(sources[path])} would both be {_shown(path)}: a label has one past, rename one of them"
                )
            sources[path] = old
        for old in moved.keys() & new:
            if sources.get(old) in (None, old) and moved[old] != old:
                raise TaxohashError(
                    f"{_shown(old)} is renamed and still in taxonomy {taxonomy.name!r}: leave out one of both"
                )
        _refuse_circles(moved)
        return sources

    def _moved(self, new: set[Path], renamed: dict[Path, Path]) -> dict[Path, Path]:
        """New paths of labels by their old ones, the labels of renamed nodes among them."""
        moved: dict[Path, Path] = {}
        known = set()
        for path in self.taxonomy.paths:
            for length in range(1, len(path) + 1):
                if (old := path[:length]) in renamed:
                    known.add(old)
                    moved[path] = renamed[old] + path[length:]
        for old in renamed.keys() & self._retired.keys() - known:
            known.add(old)
            moved[old] = renamed[old]
        if unknown := renamed.keys() - known:
            raise TaxohashError(
                f"{_shown(min(unknown))} is renamed and no label or node of the collection: correct it"
            )
        for old, path in renamed.items():
            landed = [label for label, to in moved.items() if label[: len(old)] == old and to in new]
            if not landed:
                raise TaxohashError(
                    f"{_shown(old)} is renamed to {_shown(path)}, which the new taxonomy does not have: correct it"
                )
        # A label below a renamed node may have been removed at once.
        return {old: path for old, path in moved.items() if path in new}


# -- text ------------------------------------------------------------------------------------------


@configuration
class _Version:
    """A taxonomy: its paths as runs of places in the table of paths, its numbers as runs; a run is first and length."""

    name: Name
    levels: Series[Name] = ()
    source: str = ""
    licence: str = ""
    sha256: str
    paths: Series[Series[_Whole]]
    numbers: Series[Series[_Whole]]


@configuration
class _File:
    format: Annotated[int, Field(ge=1, le=1)]
    paths: Series[Series[Name]]
    versions: Annotated[Series[_Version], Field(min_length=1)]


def _written(numbers: LabelNumbers) -> str:
    places: dict[Path, int] = {}
    versions = []
    for taxonomy, column in zip(numbers.taxonomies, numbers.columns, strict=True):
        own = np.array([places.setdefault(path, len(places)) for path in taxonomy.paths])
        versions.append(
            {
                "name": taxonomy.name,
                "levels": taxonomy.level_names,
                "source": taxonomy.source,
                "licence": taxonomy.licence,
                "sha256": taxonomy.sha256,
                "paths": _runs(own),
                "numbers": _runs(column),
            }
        )
    return json.dumps({"format": 1, "paths": list(places), "versions": versions}, separators=(",", ":"))


def _read(file: _File) -> LabelNumbers:
    taxonomies: list[Taxonomy] = []
    columns: list[Int32] = []
    given = 0
    for version in file.versions:
        longest = len(file.paths)
        places = _unrolled(version.paths, longest, longest)
        column = _unrolled(version.numbers, MAX_NUMBERS, longest)
        paths = tuple(file.paths[place] for place in places)
        taxonomy = Taxonomy(version.name, paths, version.levels, version.source, version.licence)
        if taxonomy.sha256 != version.sha256:
            raise TaxohashError(
                f"version {len(columns) + 1} is not the taxonomy {version.sha256}: restore it"
            )
        new = [number for number in column if number >= given]
        if (
            len(column) != len(paths)
            or len(set(column)) < len(column)
            or new != list(range(given, given + len(new)))
        ):
            raise TaxohashError(
                f"version {len(columns) + 1} has numbers that do not follow the others: restore it"
            )
        given += len(new)
        taxonomies.append(taxonomy)
        columns.append(np.array(column, np.int32))
    return LabelNumbers(tuple(taxonomies), tuple(columns))


def _runs(values: npt.NDArray[np.integer]) -> list[list[int]]:
    """Values as [first, length] of runs that ascend by one."""
    parts = np.split(values, np.flatnonzero(np.diff(values) != 1) + 1)
    return [[int(part[0]), len(part)] for part in parts]


def _unrolled(runs: tuple[tuple[int, ...], ...], stop: int, longest: int) -> list[int]:
    """Inverse of `_runs`; every value is below `stop`, and there are at most `longest`."""
    values: list[int] = []
    for run in runs:
        if len(run) != 2 or run[0] + run[1] > stop or len(values) + run[1] > longest:
            raise TaxohashError(f"{list(run)} is no run of values: restore it")
        values += range(run[0], run[0] + run[1])
    return values


def _refuse_circles(moved: Mapping[Path, Path]) -> None:
    for start in moved:
        path, seen = moved[start], {start}
        while path in moved and path not in seen:
            seen.add(path)
            path = moved[path]
        if path == start and len(seen) > 1:
            raise TaxohashError(
                f"{_shown(start)} is renamed in a circle of {len(seen)}: grow by way of another name, one after the other"
            )


def _shown(path: Path) -> str:
    return repr("/".join(path))


def _listed(levels: tuple[str, ...]) -> str:
    return ", ".join(map(repr, levels))
