"""What a version of a data set costs beside the one before it: DVC keeps files by their bytes, and versions share those they have in common.

A file whose bytes changed anywhere is new as a whole; one that was only renamed, such as a shard that got a neighbour, costs nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from taxohash.datasets.identity import TrackedFile, listing, tracked_md5


@dataclass(frozen=True)
class Cost:
    """Files and bytes of a version, its own list of files counted as one.

    Attributes:
        files, bytes: all that it is made of, equal files once.
        new_files, new_bytes: those of them that the version before did not have: what a cache or remote that has that one
            stores more, and what is moved to whoever has it.
    """

    files: int
    bytes: int
    new_files: int
    new_bytes: int

    def as_dict(self) -> dict[str, int]:
        """As JSON holds it."""
        return asdict(self)


def cost(before: Mapping[str, TrackedFile], after: Mapping[str, TrackedFile]) -> Cost:
    """What a version costs beside another one, each given by the files of its folder, see `tracked`."""
    return cost_beside(objects(before), after)


def cost_beside(known: Collection[str], after: Mapping[str, TrackedFile]) -> Cost:
    """What a version costs where these are kept already, each by its md5."""
    own = objects(after)
    new = {md5: size for md5, size in own.items() if md5 not in known}
    return Cost(len(own), sum(own.values()), len(new), sum(new.values()))


def objects(files: Mapping[str, TrackedFile]) -> dict[str, int]:
    """What DVC keeps of a folder: the bytes of each file by its md5, the list of the files among them."""
    names = {path: file.md5 for path, file in files.items()}
    return {file.md5: file.size for file in files.values()} | {tracked_md5(files): len(listing(names))}
