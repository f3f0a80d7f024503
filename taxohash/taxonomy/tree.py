"""The label tree: levels, paths, nearest common ancestors and the similarity they define.

Levels run coarse -> fine: level 0 is the coarsest, level K-1 the finest; the root is not a level.
A label is an index into `paths`, a leaf. Paths may be ragged: a short path is completed downwards,
its last name standing for its own only child, so that every label has a class at every level.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import write_text
from taxohash.taxonomy.file import parse

Labels = npt.NDArray[np.int32]
Integers = npt.NDArray[np.integer]
_SHOWN = 60  # characters of an unknown node that its error tells


@dataclass(frozen=True)
class Taxonomy:
    """A label tree.

    Attributes:
        name: of the data set it belongs to.
        paths: for each label the names from the coarsest level to its own.
        level_names: one name a level, or empty when the levels have none.
        source: where images and labels come from.
        licence: under which they may be used.

    Raises:
        TaxohashError: no paths, an empty or repeated path, a leaf that is also an inner node, a name that is
            empty or holds '/', text that is not Unicode, or level names that are repeated or do not fit the depth.
    """

    name: str
    paths: tuple[tuple[str, ...], ...]
    level_names: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    _index: dict[tuple[str, ...], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.paths:
            raise TaxohashError(f"taxonomy {self.name!r} has no paths: list at least one label")
        names = set(chain.from_iterable(self.paths))
        wrong = {name for name in names if not (isinstance(name, str) and name and "/" not in name)}
        for path in self.paths:
            if not path or not isinstance(path, tuple) or not wrong.isdisjoint(path):
                raise TaxohashError(
                    f"taxonomy {self.name!r} has the path {path!r}: give a tuple of non-empty strings without '/'"
                )
        for text in (self.name, *self.level_names):
            if not isinstance(text, str) or not text:
                raise TaxohashError(
                    f"taxonomy {self.name!r} with levels {self.level_names!r}: give non-empty strings as names"
                )
        texts = (self.name, *self.level_names, *names, self.source, self.licence)
        if unwritable := [text for text in texts if not _is_unicode(text)]:
            raise TaxohashError(
                f"taxonomy has the text {min(unwritable)!r}, which is not Unicode: write it in other letters"
            )
        index = {path: label for label, path in enumerate(self.paths)}
        if len(index) != len(self.paths):
            twice = next(path for label, path in enumerate(self.paths) if index[path] != label)
            raise TaxohashError(f"taxonomy {self.name!r} lists {'/'.join(twice)!r} twice: remove one")
        if both := _parents(self.paths).intersection(index):
            raise TaxohashError(
                f"taxonomy {self.name!r} has {'/'.join(min(both))!r} both as a label and as a parent: give the label a name of its own"
            )
        if self.level_names and len(self.level_names) != self.depth:
            raise TaxohashError(
                f"taxonomy {self.name!r} names {len(self.level_names)} levels but its paths have {self.depth}: fix 'levels'"
            )
        if len(set(self.level_names)) != len(self.level_names):
            raise TaxohashError(
                f"taxonomy {self.name!r} has the levels {self.level_names!r}: give each a name of its own"
            )
        object.__setattr__(self, "_index", index)

    # -- shape ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of labels (leaves)."""
        return len(self.paths)

    @cached_property
    def depth(self) -> int:
        """Number of levels, K."""
        return max(len(path) for path in self.paths)

    @cached_property
    def lengths(self) -> Labels:
        """int32[labels]: names in each path."""
        return np.array([len(path) for path in self.paths], np.int32)

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, coarse -> fine; `level1` ... when the file gives none."""
        return self.level_names or tuple(f"level{level + 1}" for level in range(self.depth))

    @cached_property
    def _class_counts(self) -> list[int]:
        counts: list[int] = (self.ancestors.max(axis=0) + 1).tolist()
        return counts

    def class_count(self, level: int) -> int:
        """Number of classes at a level."""
        return self._class_counts[level]

    def class_paths(self, level: int) -> list[tuple[str, ...]]:
        """Path of every class of a level, in the order of their class indices."""
        _, first = np.unique(self.ancestors[:, level], return_index=True)
        return [_completed(self.paths[label], level + 1)[: level + 1] for label in first]

    def members(self, level: int) -> list[Labels]:
        """The labels of every class of a level, in the order of their class indices."""
        by_class = np.argsort(self.ancestors[:, level], kind="stable").astype(np.int32)
        return np.split(by_class, np.flatnonzero(np.diff(self.ancestors[by_class, level])) + 1)

    @cached_property
    def ancestors(self) -> Labels:
        """int32[labels, K]: the class index of every label at every level, coarse -> fine.

        Classes are numbered in the order in which the labels come to them.
        """
        known: dict[str, int] = {}
        completed = (name for path in self.paths for name in _completed(path, self.depth))
        numbers = (known.setdefault(name, len(known)) for name in completed)
        shape = (len(self), self.depth)
        names = np.fromiter(numbers, np.int64, len(self) * self.depth).reshape(shape)
        table, classes = np.empty(shape, np.int32), np.zeros(len(self), np.int64)
        for level in range(self.depth):
            named = classes * len(known) + names[:, level]  # a class is its parent and its name
            _, first, which = np.unique(named, return_index=True, return_inverse=True)
            classes = np.argsort(np.argsort(first))[which]
            table[:, level] = classes
        return table

    def parents(self, level: int) -> Labels:
        """int32[classes of `level`]: index at level - 1 of every class's parent; level >= 1."""
        table = np.empty(self.class_count(level), np.int32)
        table[self.ancestors[:, level]] = self.ancestors[:, level - 1]
        return table

    # -- relations -----------------------------------------------------------------------------

    def agreed(self, left: Integers, right: Integers) -> Labels:
        """int32[...]: number of levels at which labels have the same class, 0 ... K; the arrays are broadcast."""
        levels = np.zeros(np.broadcast_shapes(left.shape, right.shape), np.int32)
        for classes in self.ancestors.T:
            levels += classes[left] == classes[right]
        return levels

    @cached_property
    def agreement(self) -> Labels:
        """int32[labels, labels]: `agreed` of all pairs. For trees whose square fits in memory."""
        labels = np.arange(len(self))
        return self.agreed(labels[:, None], labels)

    @property
    def similarity(self) -> npt.NDArray[np.float64]:
        """float64[labels, labels]: agreement / K (SHPDH, section 4: mAHP's s)."""
        return self.agreement / self.depth

    def subtree(self, node: str) -> Labels:
        """Labels under a node given as 'coarse/.../name'; a leaf is its own subtree.

        Raises:
            TaxohashError: no such node.
        """
        prefix = tuple(part for part in node.split("/") if part)
        found = [label for label, path in enumerate(self.paths) if prefix and path[: len(prefix)] == prefix]
        if not found:
            known = ", ".join("/".join(path) for path in self.class_paths(0)[:8])
            told = repr(node[:_SHOWN]) + ("..." if len(node) > _SHOWN else "")
            raise TaxohashError(
                f"taxonomy {self.name!r} has no node {told}: give a path such as one below {known}"
            )
        return np.array(found, np.int32)

    def label(self, path: Iterable[str]) -> int:
        """The label with this path.

        Raises:
            TaxohashError: no such label.
        """
        key = tuple(path)
        if key not in self._index:
            raise TaxohashError(
                f"taxonomy {self.name!r} has no label {'/'.join(key)!r}: use one of its paths"
            )
        return self._index[key]

    def relabelled(self, labels: "Taxonomy") -> "Taxonomy":
        """This tree over the labels of another one, matched by their paths, or where it has no such path by their own
        names: another opinion of the same classes.

        Raises:
            TaxohashError: a label that this tree lacks, or has more than once.
        """
        named: dict[str, list[tuple[str, ...]]] = {}
        for path in self.paths:
            named.setdefault(path[-1], []).append(path)
        found = []
        for own in labels.paths:
            places = [own] if own in self._index else named.get(own[-1], [])
            if len(places) != 1:
                raise TaxohashError(
                    f"taxonomy {self.name!r} has {len(places)} labels named {own[-1]!r} of {labels.name!r}: it must have one"
                )
            found += places
        return replace(self, paths=tuple(found))

    # -- file ----------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path) -> "Taxonomy":
        """Read a taxonomy.json, or the one in a data set folder.

        Raises:
            TaxohashError: the file is absent, not JSON, or does not describe a tree.
        """
        file = Path(path)
        if file.is_dir():
            file = file / "taxonomy.json"
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise TaxohashError(
                f"taxonomy {file} cannot be read ({error.strerror}): give a taxonomy.json"
            ) from None
        except UnicodeDecodeError:
            raise TaxohashError(f"taxonomy {file} is not UTF-8 text: give a taxonomy.json") from None
        return cls.from_json(text, str(file))

    @classmethod
    def from_json(cls, text: str, where: str = "taxonomy.json") -> "Taxonomy":
        """Parse the text of a taxonomy.json; `where` names it in errors.

        Raises:
            TaxohashError: it does not describe a tree.
        """
        file = parse(text, where)
        return cls(file.name, file.paths, file.levels or (), file.source, file.licence)

    def to_json(self) -> str:
        """Canonical text: the same tree gives the same bytes everywhere."""
        data = {
            "name": self.name,
            "levels": list(self.level_names) or None,
            "paths": [list(path) for path in self.paths],
            "source": self.source,
            "licence": self.licence,
        }
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the canonical taxonomy.json."""
        write_text(Path(path), self.to_json())

    @property
    def sha256(self) -> str:
        """Identity of names, levels and order of labels; source and licence do not count."""
        identity = json.dumps([self.levels, self.paths], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(identity.encode()).hexdigest()


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold it: a lone surrogate, as of a file name in another encoding, it cannot."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _completed(path: tuple[str, ...], depth: int) -> tuple[str, ...]:
    """The path, its last name repeated until it has this many."""
    return path + path[-1:] * (depth - len(path))


def _parents(paths: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The paths of all inner nodes."""
    found: set[tuple[str, ...]] = set()
    for path in paths:
        above = path[:-1]
        while above and above not in found:  # above one that is known all are
            found.add(above)
            above = above[:-1]
    return found
