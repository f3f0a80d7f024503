"""Paths of labels as label numbers of the collection; an unknown one is told with the one that it may be meant for."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown
from taxohash.taxonomy import Taxonomy

if TYPE_CHECKING:
    from services.retrieval.engine import Engine

_LIKE = 0.6  # of difflib, from which a name may be meant
_LONGEST = 200  # characters that are compared


def numbers_of(engine: "Engine", paths: Sequence[str]) -> tuple[int, ...]:
    """The numbers of labels 'coarse/.../name' of the taxonomy that is served, in their order.

    Raises:
        RefusedError: 400, there is no such label, or one is given twice.
    """
    labels = [_label(engine.taxonomy, path) for path in paths]
    if len(set(labels)) < len(labels):
        raise RefusedError(400, "parameter", "a label is given twice: give each once")
    return tuple(engine.numbers[labels].tolist()) if labels else ()


def _label(taxonomy: Taxonomy, text: str) -> int:
    try:
        return taxonomy.label(text.split("/"))
    except TaxohashError:
        meant = nearest(text, ["/".join(path) for path in taxonomy.paths])
        remedy = f"did you mean {shown(meant)}?" if meant else "see /v1/taxonomy"
        raise RefusedError(
            400, "parameter", f"taxonomy {taxonomy.name!r} has no label {shown(text)}: {remedy}"
        ) from None


def nearest(text: str, names: Sequence[str]) -> str | None:
    """The name that is most like a text: one that ends alike, else one that is spelled alike, if there is one."""
    ends = [
        name for name in names if name.rpartition("/")[2].casefold() == text.rpartition("/")[2].casefold()
    ]
    found = difflib.get_close_matches(text[:_LONGEST], ends, 1, 0.0) or difflib.get_close_matches(
        text[:_LONGEST], names, 1, _LIKE
    )
    return found[0] if found else None
