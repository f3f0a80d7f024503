"""Names in figures: drawn as they are, or at least drawn."""

import warnings

import pytest
from matplotlib.figure import Figure

from taxohash.runtime.drawing import LONGEST, legend, plain_text, short

NAMES = ("_hidden", "$x_1$", "$\\broken{", "100 $ or 5 $", "<b>&", "[bold]", "😀", "שלום", "日本語")


@pytest.mark.parametrize("name", NAMES)
def test_a_legend_shows_every_name_as_it_is(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with plain_text():
            figure = Figure()
            axes = figure.subplots()
            axes.plot([0, 1], [0, 1])
            axes.set_title(name)
            legend(axes, [name])
            figure.canvas.draw()  # where a broken formula would be refused
    made = axes.get_legend()
    assert made is not None
    (text,) = made.get_texts()
    assert text.get_text() == name
    assert not text.get_parse_math()


def test_a_long_name_keeps_its_ends_on_one_line() -> None:
    assert short("a name") == "a name"
    assert short("two\nlines") == "two lines"
    cut = short("begin " + "x" * 300 + " end")
    assert len(cut) == LONGEST
    assert cut.startswith("begin x")
    assert cut.endswith("x end")
