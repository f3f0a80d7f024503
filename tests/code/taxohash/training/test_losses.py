"""Means of an epoch's losses, and what is said of one that is not finite: true advice, or none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.objectives import Batch, Setting, build
from taxohash.objectives.supervision import Labels
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import NOTE_STEPS, fit
from taxohash.training.losses import Losses
from tests.support.toy import BITS, TREE
from tests.support.toy_objectives import Toy, ToyConfig

STEPS = 60
FEATURES = torch.randn(2 * STEPS, 24, generator=torch.Generator().manual_seed(1))
KNOWN = Setting(BITS, TREE, Labels(torch.arange(2 * STEPS) % 9))


class Scripted(Toy):
    """A loss whose second term is scripted, by the number of the step from 1."""

    name = "scripted"

    def __init__(self, script: Any) -> None:
        super().__init__(KNOWN, ToyConfig())
        self.script, self.seen = script, 0

    def loss(self, batch: Batch[Any]) -> dict[str, Tensor]:
        self.seen += 1
        return {"pull": batch.outputs.square().mean(), "odd": self.script(self.seen, batch.outputs)}


def trained(objective: Any, folder: Path, features: Tensor = FEATURES, **options: Any) -> None:
    torch.manual_seed(0)
    config = TrainingConfig(epochs=1, batch=2, **options)
    fit(nn.Linear(24, BITS), objective, features, config, folder)


def test_means_are_over_examples() -> None:
    losses, one = Losses(0.1), torch.ones(())
    losses.start(0, 3)
    for examples, value in ((4, 1.0), (4, 2.0), (2, 5.0)):
        losses.add(examples, torch.tensor(value), {"term": torch.tensor(-value)}, one, one)
    assert losses.read() == {"loss": 2.2, "term": -2.2}
    losses.start(1, 1)
    losses.add(1, torch.tensor(3.0), {"term": torch.tensor(3.0)}, one, one)
    assert losses.read() == {"loss": 3.0, "term": 3.0}


@pytest.mark.parametrize("step", [1, 2, NOTE_STEPS, STEPS])
def test_a_term_that_is_not_finite_is_named_with_its_step_and_without_advice_on_lr(
    step: int, tmp_path: Path
) -> None:
    odd = Scripted(lambda seen, outputs: outputs.sum() * (torch.nan if seen == step else 0))
    with pytest.raises(
        TaxohashError, match=f"term 'odd' is nan in step {step} of {STEPS} of epoch 1, while"
    ) as told:
        trained(odd, tmp_path)
    assert "lr" not in str(told.value)
    assert odd.seen <= step + NOTE_STEPS  # soon, not at the end of the epoch
    assert not [*tmp_path.iterdir()]


def test_a_gradient_that_is_not_finite_is_named(tmp_path: Path) -> None:
    odd = Scripted(lambda seen, outputs: (0 * outputs).sum().sqrt())
    with pytest.raises(
        TaxohashError, match=r"its gradient is nan in step 1 .* look at the objective's options"
    ):
        trained(odd, tmp_path)


def test_outputs_that_grew_advise_a_lower_learning_rate(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match=r"were at first within [\d.]+, now .*: lower lr = 1e\+30$"):
        trained(build("csq", KNOWN, {}), tmp_path, lr=1e30)


def test_weights_that_are_not_finite_at_first_are_not_laid_on_the_learning_rate(tmp_path: Path) -> None:
    network = nn.Linear(24, BITS)
    nn.init.constant_(network.bias, torch.inf)
    with pytest.raises(TaxohashError, match="before a step was taken: look for numbers"):
        fit(network, build("csq", KNOWN, {}), FEATURES, TrainingConfig(epochs=1, batch=2), tmp_path)


def test_features_that_are_not_finite_are_refused_before_the_first_step(tmp_path: Path) -> None:
    spoilt = FEATURES.clone()
    spoilt[7, 3] = torch.nan
    with pytest.raises(TaxohashError, match="row 7 of the features has a number that is not finite"):
        trained(build("csq", KNOWN, {}), tmp_path, spoilt)
