"""Ten training steps of every method give the losses they gave when each was checked by hand.

The numbers are our own, from one thread; they change only with a change of a method, its defaults or its
order of random draws. `python -m tests.code.taxohash.objectives.test_trace` writes them anew.
"""

import json
from pathlib import Path

import pytest
import torch

from taxohash.objectives import build, objectives
from taxohash.objectives.base import Projection
from tests.support.toy import TREE, setting, toy

GOLDEN = Path(__file__).parent / "trace.json"
LEARNED = [name for name, kind in objectives().items() if not issubclass(kind, Projection)]


def trace(name: str) -> list[float]:
    """Loss of ten steps of plain descent on a linear head, with an epoch's end after each five."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        data = toy(images=5)
        objective = build(name, setting(TREE, data.labels), {})
        network = torch.nn.Linear(24, objective.width)
        optimiser = torch.optim.SGD([*network.parameters(), *objective.parameters()], 0.02)
        losses = []
        for step in range(10):
            rows = torch.arange(step % 5, 45, 5)
            rows = torch.cat([rows, (rows + 1) % 45])
            terms = objective.loss(network(data.features[rows]), data.labels[rows], rows)
            loss = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(round(float(loss.detach()), 6))
            if step % 5 == 4 and objective.wants_outputs:
                with torch.no_grad():
                    objective.end_epoch(network(data.features), data.labels)
    return losses


@pytest.mark.parametrize("name", LEARNED)
def test_ten_steps(name: str) -> None:
    assert trace(name) == pytest.approx(json.loads(GOLDEN.read_text())[name], rel=1e-3)


def test_every_learned_method_has_a_trace() -> None:
    assert set(json.loads(GOLDEN.read_text())) == set(LEARNED)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: trace(name) for name in LEARNED}, indent=1) + "\n")
