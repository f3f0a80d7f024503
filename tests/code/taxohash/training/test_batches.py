"""How an epoch is cut; and every objective on the smallest sets: it learns, or is refused before the first step."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from taxohash.errors import TaxohashError
from taxohash.objectives import AnyObjective, Setting, build, objectives
from taxohash.objectives.base import Projection
from taxohash.objectives.supervision import Labels
from taxohash.taxonomy import Taxonomy
from taxohash.training.batches import batches
from taxohash.training.config import TrainingConfig
from taxohash.training.fit import embed, fit
from tests.support.toy import BITS, TREE

ONE = Taxonomy("one", (("only",),))
FLAT = Taxonomy("flat", tuple((f"c{c}",) for c in range(4)))
# Both paths make a|b|c.
BARS = Taxonomy("bars", (("a|b", "c"), ("a", "b|c"), ("d", "e")))
METHODS = {name: kind for name, kind in objectives().items() if not issubclass(kind, Projection)}


@given(st.integers(1, 40), st.integers(1, 50))
def test_only_one_that_would_be_alone_joins_the_batch_before(count: int, size: int) -> None:
    cut = [len(batch) for batch in batches(torch.arange(count), size)]
    plain = [len(batch) for batch in torch.arange(count).split(size)]
    if size > 1 and len(plain) > 1 and plain[-1] == 1:
        plain = [*plain[:-2], size + 1]
    assert cut == plain
    assert torch.equal(torch.cat([*batches(torch.arange(count), size)]), torch.arange(count))


@dataclass(frozen=True)
class Case:
    """A training set, and what of the methods refuse it by what they say."""

    labels: list[int]
    batch: int
    taxonomy: Taxonomy = TREE
    refused: tuple[tuple[str, str], ...] = ()


TRIPLETS = ("dtsh", "make no triplet: give two images of one class and one of another")
PAIRWISE = ("dpsh", "dsdh", "hashnet", "shdh", "dqn", "hierarchy_embedding")
CASES = {
    "one left over": Case([0, 1, 3, 4, 0], 4),
    "one left over of many": Case([label % 9 for label in range(25)], 8),
    "one label": Case([3] * 6, 4, refused=(TRIPLETS,)),
    "a tree of one label": Case([0] * 6, 4, ONE, (TRIPLETS,)),
    "two images": Case([0, 4], 32, refused=(TRIPLETS,)),
    "two alike": Case([4, 4], 32, refused=(TRIPLETS,)),
    "one image": Case(
        [2],
        32,
        refused=(
            TRIPLETS,
            *((name, "compares 2 examples of a batch, the training split has 1") for name in PAIRWISE),
        ),
    ),
    "batches of one": Case(
        [0, 1, 3, 3],
        1,
        refused=(
            ("dtsh", "batch = 1: objective 'dtsh' compares 3 examples of a batch: use batch = 3 at least"),
            *(
                (name, f"batch = 1: objective '{name}' compares 2 .*: use batch = 2 at least")
                for name in PAIRWISE
            ),
        ),
    ),
    "labels without images": Case([0, 0, 8, 8, 0], 3),
    "all in one batch": Case([0, 1, 2, 3, 4, 5, 0], 7),
    "a tree of one level": Case([0, 1, 2, 3, 0, 1, 2], 3, FLAT),
    "names with bars": Case([0, 1, 2, 0, 1, 2, 0], 3, BARS),
}


def features(count: int) -> Tensor:
    return torch.randn(count, 24, generator=torch.Generator().manual_seed(1))


def made(name: str, case: Case) -> AnyObjective:
    torch.manual_seed(0)
    return build(name, Setting(BITS, case.taxonomy, Labels(torch.tensor(case.labels))), {})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", METHODS)
def test_it_learns_or_is_refused_before_the_first_step(name: str, case: Case, tmp_path: Path) -> None:
    config = TrainingConfig(epochs=1, batch=case.batch, lr=1e-3)
    inputs = features(len(case.labels))
    if said := dict(case.refused).get(name):
        with pytest.raises(TaxohashError, match=said) as refused:
            fit(nn.Linear(24, BITS), made(name, case), inputs, config, tmp_path)
        assert "\n" not in str(refused.value)
        assert not [*tmp_path.iterdir()]
        return
    learned = made(name, case)
    network = nn.Linear(24, learned.width)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    (record,) = fit(network, learned, inputs, config, tmp_path)
    assert all(math.isfinite(value) for value in record.values())
    if learned.width > 1 or name == "hierarchy_embedding":
        assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    for tensor in (*network.parameters(), *learned.state_dict().values()):
        assert torch.isfinite(tensor).all()
    with torch.no_grad():
        assert torch.isfinite(learned.search_form(embed(network, inputs))).all()


@pytest.mark.parametrize("name", [name for name in objectives() if name not in METHODS])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_projection_is_solved_of_few_features(name: str, count: int) -> None:
    solved: Projection[object] = build(
        name, Setting(BITS, TREE, Labels(torch.zeros(count, dtype=torch.int64))), {}
    )  # type: ignore[assignment]
    for known in (features(count), torch.ones(count, 24)):
        weight, bias = solved.solve(known)
        assert weight.shape == (BITS, 24)
        assert torch.isfinite(weight).all()
        assert torch.isfinite(bias).all()


def test_a_network_that_cannot_learn_from_one_image_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(24, BITS), nn.BatchNorm1d(BITS))
    case = Case([0, 1, 2], 1)
    with pytest.raises(TaxohashError, match="batch = 1: the network cannot learn from one image alone"):
        fit(network, made("csq", case), features(3), TrainingConfig(epochs=1, batch=1), tmp_path)
    fit(network, made("csq", case), features(3), TrainingConfig(epochs=1, batch=2), tmp_path)


def test_codebooks_need_a_dimension_each() -> None:
    known = Setting(48, TREE, Labels(torch.tensor([0, 1])))
    with pytest.raises(TaxohashError, match=r"dimensions = 5 cannot give each of 6 codebooks .* at least 6"):
        build("dqn", known, {"dimensions": 5})
    assert build("dqn", known, {"dimensions": 6}).width == 6
