"""Figures in which names are names: no text is mathematics, none is hidden, none breaks the layout."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from taxohash.runtime.terminal import shortened

LONGEST = 40  # characters of a name in a figure


@contextmanager
def plain_text() -> Iterator[None]:
    """Draw figures in which `$` is a dollar; a letter that no font has is drawn as a box, without a warning."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def short(name: str) -> str:
    """A name on one line, its middle left out where it is long."""
    return shortened(" ".join(name.split()), LONGEST)


def legend(axes: Any, names: Sequence[str], **options: Any) -> None:
    """Name the lines of a plot, in their order; matplotlib by itself hides names that begin with `_`."""
    made = axes.legend(
        axes.get_lines(), [str(number) for number in range(len(names))], frameon=False, **options
    )
    for text, name in zip(made.get_texts(), names, strict=True):
        text.set_text(name)
