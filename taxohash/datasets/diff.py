"""What changed from one data set to another: pictures and labels added, removed, moved and replaced.

A picture is known again by its bytes, else by its pixels, else by its path where that is unique in both sets, in
this order: so neither a new name, another split, another label nor another file format makes it a new one.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import repeat
from typing import Any, Literal, NamedTuple

from taxohash.datasets.cost import Cost, cost
from taxohash.datasets.dataset import Dataset
from taxohash.datasets.digests import pixel_digest
from taxohash.datasets.identity import tracked, tracked_md5
from taxohash.errors import TaxohashError
from taxohash.runtime.progress import track
from taxohash.taxonomy import Taxonomy

Change = Literal["relabelled", "resplit", "renamed", "reencoded", "replaced"]
CHANGES: tuple[Change, ...] = ("relabelled", "resplit", "renamed", "reencoded", "replaced")


class Picture(NamedTuple):
    """One picture of a set.

    Attributes:
        split, row: where it stands.
        path: in its row, empty where it has none.
        labels: paths of its labels in order, joined by '/'; None in a split without labels.
    """

    split: str
    row: int
    path: str
    labels: tuple[str, ...] | None

    @property
    def caption(self) -> str:
        """Its labels as text."""
        return ", ".join(self.labels) if self.labels else "no label"


@dataclass(frozen=True)
class Pair:
    """A picture in both sets, and what is different about it.

    Attributes:
        changes: `relabelled`; `resplit`, in another split; `renamed`, with another path though neither of the
            two; `reencoded`, with the same pixels in other bytes; `replaced`, with other pixels under its path.
    """

    before: Picture
    after: Picture
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class LabelChanges:
    """What changed about the label tree: labels by their paths, joined by '/'.

    Attributes:
        added, removed: labels that only one tree has.
        moved: labels whose own name is unique in both trees and stands below another parent, before and after.
        reordered: whether those that both trees have stand in another order.
        levels: their names before and after where they differ.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    reordered: bool
    levels: tuple[tuple[str, ...], tuple[str, ...]] | None

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.moved, self.reordered, self.levels))


@dataclass(frozen=True)
class Diff:
    """All that changed.

    Attributes:
        before, after: the sets.
        md5s: their identities.
        cost: what the later one costs to store and to move beside the earlier.
        images: of each split of either, their numbers before and after.
        taxonomy: what changed about the labels.
        added, removed: pictures that only the one set has, in order.
        changed: pictures of both that are not quite the same.
    """

    before: Dataset
    after: Dataset
    md5s: tuple[str, str]
    cost: Cost
    images: dict[str, tuple[int, int]]
    taxonomy: LabelChanges
    added: list[Picture]
    removed: list[Picture]
    changed: list[Pair]

    def having(self, change: Change) -> list[Pair]:
        """The pairs with this change."""
        return [pair for pair in self.changed if change in pair.changes]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        names = (self.before.taxonomy.name, self.after.taxonomy.name)
        sides = zip(("before", "after"), names, self.md5s, strict=True)
        return {
            **{side: {"name": name, "md5": md5} for side, name, md5 in sides},
            "cost": self.cost.as_dict(),
            "images": self.images,
            "taxonomy": asdict(self.taxonomy),
            "added": [picture._asdict() for picture in self.added],
            "removed": [picture._asdict() for picture in self.removed],
            "changed": [
                {"changes": pair.changes, "before": pair.before._asdict(), "after": pair.after._asdict()}
                for pair in self.changed
            ],
        }


class _Seen(NamedTuple):
    """A picture with what it is known again by."""

    picture: Picture
    digest: bytes
    pixels: bytes = b""  # empty if it cannot be decoded, or has not been


Key = Callable[[_Seen], Hashable]


def diff(before: Dataset, after: Dataset, *, progress: bool = True) -> Diff:
    """Compare two sets. All bytes are read and hashed; only what has no equal bytes in the other set is decoded.

    Raises:
        TaxohashError: a split that cannot be read.
    """
    left, right = _seen(before, progress), _seen(after, progress)
    count = [Counter(one.picture.split for one in side) for side in (left, right)]
    unique = _unique(one.picture.path for one in left) & _unique(one.picture.path for one in right)
    splits = dict.fromkeys((*before.splits, *after.splits))

    # The nearest first: of several copies each should find the one that changed least.
    by_bytes: tuple[Key, ...] = (
        lambda one: (one.digest, one.picture.path, one.picture.split, one.picture.labels),
        lambda one: (one.digest, one.picture.path),
        lambda one: (one.digest, one.picture.labels),
        lambda one: one.digest,
    )
    by_pixels: tuple[Key, ...] = (
        lambda one: one.pixels and (one.pixels, one.picture.path),
        lambda one: one.pixels and (one.pixels, one.picture.labels),
        lambda one: one.pixels,
        lambda one: one.picture.path in unique and one.picture.path,
    )
    pairs: list[tuple[_Seen, _Seen]] = []
    for key in by_bytes:
        pairs += _join(left, right, key)
    left, right = _with_pixels(before, left, progress), _with_pixels(after, right, progress)
    for key in by_pixels:
        pairs += _join(left, right, key)
    found = (Pair(one.picture, other.picture, _changes(one, other)) for one, other in pairs)
    files = tracked(before.folder), tracked(after.folder)
    return Diff(
        before,
        after,
        (tracked_md5(files[0]), tracked_md5(files[1])),
        cost(*files),
        {split: (count[0][split], count[1][split]) for split in splits},
        label_changes(before.taxonomy, after.taxonomy),
        added=[one.picture for one in right],
        removed=[one.picture for one in left],
        changed=sorted((pair for pair in found if pair.changes), key=lambda pair: pair.after[:2]),
    )


def label_changes(before: Taxonomy, after: Taxonomy) -> LabelChanges:
    """Compare two label trees."""
    old, new = before.paths, after.paths
    removed, added = set(old).difference(new), set(new).difference(old)
    here, there = ({path[-1]: path for path in paths} for paths in (old, new))
    once = _unique(path[-1] for path in old) & _unique(path[-1] for path in new)
    moved = {here[name]: there[name] for name in once if here[name] in removed and there[name] in added}
    return LabelChanges(
        added=_joined(added.difference(moved.values())),
        removed=_joined(removed.difference(moved)),
        moved=tuple(sorted(("/".join(one), "/".join(other)) for one, other in moved.items())),
        reordered=[path for path in old if path not in removed]
        != [path for path in new if path not in added],
        levels=(before.levels, after.levels) if before.levels != after.levels else None,
    )


def _seen(dataset: Dataset, progress: bool) -> list[_Seen]:
    found = []
    for split in dataset.splits:
        names = ["/".join(path) for path in dataset.taxonomy.paths]
        paths = dataset.paths(split)
        labels = _labels(dataset, split, names)
        images = track(dataset.images(split), len(paths), f"reading {split}", shown=progress)
        for row, (path, own, data) in enumerate(zip(paths, labels, images, strict=True)):
            digest = blake2b(data, digest_size=16).digest()
            found.append(_Seen(Picture(split, row, path, own), digest))
    return found


def _labels(dataset: Dataset, split: str, names: Sequence[str]) -> Iterable[tuple[str, ...] | None]:
    if dataset.label_column(split) is None:
        return repeat(None, dataset.count(split))
    return (tuple(sorted(names[label] for label in own.tolist())) for own in dataset.label_sets(split))


def _join(left: list[_Seen], right: list[_Seen], key: Key) -> list[tuple[_Seen, _Seen]]:
    """Pairs with the same key, in order; they leave both lists. A key that is false is none."""
    waiting: defaultdict[Hashable, deque[_Seen]] = defaultdict(deque)
    for one in left:
        waiting[key(one)].append(one)
    pairs, unpaired = [], []
    for other in right:
        if (found := key(other)) and waiting[found]:
            pairs.append((waiting[found].popleft(), other))
        else:
            unpaired.append(other)
    right[:] = unpaired
    remaining = {id(one) for queue in waiting.values() for one in queue}
    left[:] = [one for one in left if id(one) in remaining]
    return pairs


def _with_pixels(dataset: Dataset, seen: list[_Seen], progress: bool) -> list[_Seen]:
    """The same with digests of their pixels; a row group is read at a time."""
    wanted = {(one.picture.split, one.picture.row): one for one in seen}
    groups = [(split, group) for split in dataset.splits for group in dataset.row_groups(split)]
    found = []
    for split, group in track(groups, len(groups), "decoding", shown=progress):
        rows = [row for row in range(group.first_row, group.first_row + group.rows) if (split, row) in wanted]
        images = group.images() if rows else []
        found += [wanted[split, row]._replace(pixels=_pixels(images[row - group.first_row])) for row in rows]
    return found


def _pixels(data: bytes) -> bytes:
    try:
        return pixel_digest(data)
    except TaxohashError:
        return b""


def _changes(one: _Seen, other: _Seen) -> tuple[Change, ...]:
    before, after = one.picture, other.picture
    differ: dict[Change, bool] = {
        "relabelled": before.labels != after.labels,
        "resplit": before.split != after.split,
        "renamed": before.path != after.path and before[:1] + before[3:] == after[:1] + after[3:],
        "reencoded": one.digest != other.digest and one.pixels == other.pixels != b"",
        "replaced": one.digest != other.digest and not one.pixels == other.pixels != b"",
    }
    return tuple(change for change in CHANGES if differ[change])


def _unique(names: Iterable[str]) -> set[str]:
    """Those that are there once; an empty one is none."""
    return {name for name, count in Counter(names).items() if name and count == 1}


def _joined(paths: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(map("/".join, paths)))
