"""Which items a search may find: below nodes of the taxonomy, with tags, and combinations of both."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.codestore.follower.arrays import Rows
from services.codestore.follower.ranks import Ranks
from services.codestore.follower.state import State
from taxohash.errors import TaxohashError
from taxohash.hamming import Following, Moment

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Below:
    """Items with a label below a node 'coarse/.../name'. A label that the taxonomy version does not know is below none."""

    node: str


@dataclass(frozen=True)
class Tagged:
    """Items with a tag."""

    tag: str


@dataclass(frozen=True)
class Every:
    """Items for which every part holds; all, without parts."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True)
class Either:
    """Items for which at least one part holds; none, without parts."""

    parts: "tuple[Filter, ...]"


Filter = Below | Tagged | Every | Either


def wanted(
    within: str | Iterable[str] = (), tags: str | Iterable[str] = (), where: Filter | None = None
) -> Filter | None:
    """Below one of the nodes `within`, with every one of the tags, and `where`; None where nothing is asked."""
    nodes = (within,) if isinstance(within, str) else tuple(within)
    names = (tags,) if isinstance(tags, str) else tuple(tags)
    parts: list[Filter] = [Tagged(tag) for tag in names]
    if nodes:
        parts.append(
            Either(tuple(Below("/".join(part for part in node.split("/") if part)) for node in nodes))
        )
    if where is not None:
        parts.append(where)
    return Every(tuple(parts)) if parts else None


class Prepared:
    """Selections of filters that were asked for, brought up to each state at the cost of what has changed since."""

    def __init__(self, ranks: Ranks, most_bytes: Callable[[], int]) -> None:
        """`most_bytes` tells how much the selections may take; beyond, those that were not used for longest go."""
        self.ranks = ranks
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Filter, Following] = OrderedDict()
        self._lock = threading.Lock()

    def selection(self, asked: Filter, state: State, moment: Moment) -> Following:
        """The rows that a filter allows at a state, whose index is at `moment`.

        Raises:
            TaxohashError: an unknown node, or a tag that no item has; names it.
        """
        test = _test(asked, self.ranks, state)
        with self._lock:
            before = self._kept.get(asked)

        def belongs(rows: Rows | slice) -> Flags:
            return test(*state.sets(rows.stop if isinstance(rows, slice) else rows))

        made = moment.follow(before, belongs)
        with self._lock:
            kept = self._kept.get(asked)
            if kept is None or kept.index is not made.index or kept.changes <= made.changes:
                self._kept[asked] = made
            self._kept.move_to_end(asked)
            if kept is None:
                room = self._most_bytes()
                while len(self._kept) > 1 and self._nbytes() > room:
                    self._kept.popitem(last=False)
        return made

    @property
    def nbytes(self) -> int:
        with self._lock:
            return self._nbytes()

    def _nbytes(self) -> int:
        return sum(selection.nbytes for selection in self._kept.values())


Test = Callable[[npt.NDArray[np.unsignedinteger], npt.NDArray[np.unsignedinteger]], Flags]


def _test(asked: Filter, ranks: Ranks, state: State) -> Test:
    """What tells from numbers of label sets and tag sets which items a filter allows."""
    if isinstance(asked, Below):
        low, high = ranks.interval(asked.node)
        return lambda labels, _: state.labels.any_between(labels, state.label_sets, ranks.ranks, low, high)
    if isinstance(asked, Tagged):
        number = state.vocabulary.known(asked.tag)
        if number is None:
            raise TaxohashError(f"no item has the tag {asked.tag!r}: give one that some item has")
        return lambda _, tags: state.tags.any_equal(tags, state.tag_sets, number)
    tests = [_test(part, ranks, state) for part in asked.parts]
    join, start = (np.logical_and, True) if isinstance(asked, Every) else (np.logical_or, False)

    def joined(labels: npt.NDArray[np.unsignedinteger], tags: npt.NDArray[np.unsignedinteger]) -> Flags:
        found = np.full(len(labels), start)
        for test in tests:
            join(found, test(labels, tags), out=found)
        return found

    return joined
