"""A folder that DVC tracks: how one is named, and what its .dvc file says, the directory md5 of its bytes."""

import re

from taxohash.errors import TaxohashError

TRACKED = "data"  # the folder that is meant if a revision names none
# Not `deps`, of which an import has an md5, too.
_OUTS = re.compile(r"^outs:[ \t\r]*\n((?:[^\w\n].*(?:\n|\Z)|\n)*)", re.MULTILINE)
_MD5 = re.compile(r"^[ -]+md5: ([0-9a-f]{32}\.dir)[ \t\r]*$", re.MULTILINE)


def tracked_at(revision: str) -> tuple[str, str]:
    """What a revision such as v2:sets/birds or v2:sets/birds.dvc names: the commit, HEAD if none, and the folder."""
    commit, _, folder = revision.partition(":")
    return commit or "HEAD", (folder or TRACKED).removesuffix(".dvc")


def named_md5(text: str, file: str) -> str:
    """The directory md5 in the text of a .dvc file, e.g. '7c9c….dir'.

    Args:
        file: what to call it in an error.

    Raises:
        TaxohashError: it tracks no folder, or two, as where a merge left both.
    """
    outs = _OUTS.search(text)
    found = _MD5.findall(outs[1]) if outs else []
    if not found:
        raise TaxohashError(f"{file} names no folder's md5: make it with `dvc add`")
    if len(found) > 1:
        raise TaxohashError(f"{file} names {' and '.join(found)}: keep the one that is meant")
    md5: str = found[0]
    return md5
