"""Any bytes as a taxonomy.json."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from taxohash.taxonomy import Taxonomy
from tests.fuzz.mutations import changed_json
from tests.support import generations, tiny
from tests.support.outcome import answer

MEMORY = 512
WORDS = (
    b'"name"', b'"levels"', b'"paths"', b'"source"', b'"licence"', b"null", b"true", b"NaN", b"[[", b"]]", b"], [",
    b'"\\ud800"', b'"\\u0000"', b'"\\n"', b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"/", b"1e999",
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Ragged, with levels and without, of one label, and with a byte order mark."""
    trees = (generations.TAXONOMY, tiny.TAXONOMY, Taxonomy("one", (("a",),)), Taxonomy("é", (("ü", "\n"),)))
    for tree in trees:
        yield tree.to_json().encode()
    yield b"\xef\xbb\xbf" + tiny.TAXONOMY.to_json().encode()


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another taxonomy, most often still JSON."""
    return changed_json(data, most, random.Random(seed))[:most]


def attempt(data: bytes, folder: Path) -> None:
    """A file that is taken describes a tree that holds together and can be written."""
    file = folder / "taxonomy.json"
    file.write_bytes(data)
    if (tree := answer(lambda: Taxonomy.load(file))) is None:
        return
    file.write_bytes(tree.to_json().encode())
    assert Taxonomy.load(file) == tree
    assert len(tree.levels) == tree.depth
    assert tree.ancestors.shape == (len(tree), tree.depth)
    for label, path in enumerate(tree.paths):
        assert tree.label(path) == label
        assert tree.subtree("/".join(path)).tolist() == [label]
    for level in range(tree.depth):
        members = tree.members(level)
        assert len(members) == tree.class_count(level) == len(tree.class_paths(level))
        assert np.sort(np.concatenate(members)).tolist() == list(range(len(tree)))
    assert (np.diagonal(tree.agreement) == tree.depth).all()
    assert len(tree.sha256) == 64
