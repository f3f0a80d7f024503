"""The picture of the trials."""

import pytest

from taxohash.runtime.drawing import plain_text
from taxohash.sweep.page import panels
from taxohash.sweep.space import space_of
from taxohash.sweep.trials import Trial
from taxohash.training.config import HasherConfig


@pytest.mark.parametrize("rates", [(0.05, 0.09), (0.001, 0.5)])
def test_numbers_on_an_axis_are_numbers_however_near_the_trials_are(rates: tuple[float, float]) -> None:
    space = space_of(["training.lr=0.0001..1:log", "training.batch=32,64"], HasherConfig().completed())
    trials = [
        Trial(number=number, values={"training.lr": rate, "training.batch": 32}, score=0.5, seconds=1.0)
        for number, rate in enumerate(rates)
    ]
    with plain_text():
        drawn = panels(space, trials, "headline")
        drawn.canvas.draw()
        axis = drawn.axes[1].xaxis
        labels = [text.get_text() for minor in (False, True) for text in axis.get_ticklabels(minor=minor)]
    assert any(labels)
    assert not [label for label in labels if "$" in label or "math" in label]
