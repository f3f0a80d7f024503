"""Renderings in which one name is another, one at a time: each should be found."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.manifests import Manifest
from tests.support.references.known import PLACEMENT, SETTINGS, made
from tests.support.references.rendering import named

NAME = re.compile(r"[\w./-]*[A-Za-z][\w./-]*")
Path = tuple[str | int, ...]


def places(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Path, str]]:
    """Every place of a name: the object, the way to it, and the name.

    A name is a word or a key that stands in more than one place, or that is known outside of what is rendered.
    """
    leaves = [(manifest, path, text) for manifest in manifests for path, text in _leaves(manifest, ())]
    count = Counter(text for _, _, text in leaves)
    known = {
        *SETTINGS,
        *PLACEMENT.labels,
        *made("Secret"),
        *(key for keys in made("Secret").values() for key in keys),
    }
    for manifest, path, text in leaves:
        if NAME.fullmatch(text) and (count[text] > 1 or text in known):
            yield manifest, path, text


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Texts and keys that users choose, with the way there; of a key it ends with an empty word."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if path and path[-1] in ("labels", "matchLabels", "selector", "data") and key != "matchLabels":
                yield (*path, key, ""), key
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    elif isinstance(value, str) and path[-1] != "operator":  # of a selector, a word that the schemas know
        yield path, value


@contextmanager
def renamed(manifest: Manifest, path: Path) -> Iterator[None]:
    """A manifest with another name in one place, for a while."""
    *way, last = path[:-1] if path[-1] == "" else path
    inner: Any = manifest
    for step in way:
        inner = inner[step]
    before = dict(inner) if isinstance(inner, dict) else list(inner)
    if path[-1] == "":
        inner[f"{last}-renamed"] = inner.pop(last)
    else:
        inner[last] = f"{inner[last]}-renamed"
    try:
        yield
    finally:
        if isinstance(inner, dict):
            inner.clear()
            inner.update(before)
        else:
            inner[:] = before


def told(manifest: Manifest, path: Path) -> str:
    """A place in one line."""
    return f"{named(manifest)}: {'.'.join(map(str, path))}"
