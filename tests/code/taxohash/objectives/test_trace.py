"""Every method gives the numbers it gave when it was checked by hand, and each of its defaults shows in them.

The numbers are our own; they change only with a change of a method, its defaults or its order of random draws.
They are float64, in which kinds of CPU agree far below the tolerance; in float32 they do not.
`python -m tests.code.taxohash.objectives.test_trace` writes them anew.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from taxohash.objectives import AnyObjective, Batch, build, objectives
from taxohash.objectives.base import Projection
from taxohash.objectives.parts import tree_layout
from taxohash.objectives.supervision import Labels
from taxohash.taxonomy import Taxonomy
from tests.support.toy import TREE, Toy, setting, toy

GOLDEN = Path(__file__).parent / "trace.json"
TOLERANCE = 1e-8
# Methods may treat apart: two levels and four, paths that are short, and bits that are a power of two.
DEEP = Taxonomy(
    "deep", tuple(tuple(f"{c // n}" for n in (8, 4, 3, 2, 1))[: 1 if c == 8 else 5] for c in range(9))
)
SHAPES = {"two levels": (TREE, 24), "five levels": (DEEP, 16)}
# Of each class: a few more in all than ssq draws, and enough for itq and dqn not to settle before they stop.
IMAGES = {"ssq": 223, "itq": 223, "dqn": 300}
EPOCHS = {"hashnet": 21}  # instead of five: it sharpens for the first time in the last
BATCH, BATCHES, RATE = 45, 2, 0.02
# Powers of ten between which outputs start, from bit to bit: the discrete steps of dsdh turn only small ones, and
# what keeps outputs in the hyper-cube acts only on large ones.
SCALES = (-4, 0.5)
# Not 301, which dqn rounds down to 300, a multiple of its three subspaces.
OTHER = {("dqn", "dimensions"): 303}


def trace(name: str, shape: str = "two levels", **options: Any) -> list[float]:
    """The mean loss of each epoch, and what is learned after the first and the last; a projection has no epochs."""
    taxonomy, bits = SHAPES[shape]
    with alike(), torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        data = toy(images=IMAGES.get(name, 10))
        objective = build(name, setting(taxonomy, data.labels, bits), options)
        head = nn.Linear(24, objective.width)
        numbers = []
        if isinstance(objective, Projection):
            head.weight.data, head.bias.data = objective.solve(data.features)
        else:
            scales = torch.logspace(*SCALES, objective.width)
            head.weight.mul_(scales.unsqueeze(1))
            head.bias.mul_(scales)
            for epoch, loss in enumerate(descent(head, objective, data)):
                numbers += [loss, *(learned(head, objective, data) if epoch == 0 else ())]
        numbers += learned(head, objective, data)
    return numbers


plain = cache(trace)


def descent(head: nn.Module, objective: AnyObjective, data: Toy) -> Iterator[float]:
    """The loss of every epoch of plain descent, of a few batches each, at a rate that rises from nought."""
    known = Labels(data.labels)
    moved = [*head.parameters(), *objective.parameters()]
    epochs = EPOCHS.get(objective.name, 5)
    for epoch in range(epochs):
        objective.start_epoch(epoch, epochs)
        losses = []
        for rows in torch.randperm(len(data.labels))[: BATCH * BATCHES].split(BATCH):
            with torch.enable_grad():
                terms = objective.loss(Batch(head(data.features[rows]), known[rows], rows))
                loss = torch.stack(list(terms.values())).sum()
            for parameter, slope in zip(moved, torch.autograd.grad(loss, moved), strict=True):
                parameter.sub_(RATE * epoch / epochs * slope)
            losses.append(float(loss))
        if objective.wants_outputs:
            objective.end_epoch(head(data.features), known)
        yield sum(losses) / len(losses)


def learned(head: nn.Module, objective: AnyObjective, data: Toy) -> list[float]:
    """Digests of what is searched, of the class codes and of the state."""
    parts = [
        objective.search_form(head(data.features)),
        objective.search_form(head(data.queries), query=True),
    ]
    if (codes := objective.class_codes()) is not None:
        parts.append(codes)
    if state := [
        values.flatten() for values in objective.state_dict().values() if values.is_floating_point()
    ]:
        parts.append(torch.cat(state))
    return [number for part in parts for number in digest(part)]


def digest(values: Tensor) -> tuple[float, float]:
    """The root of the mean square, and the mean product with a wave, which knows signs and places."""
    values = values.flatten()
    return float(values.square().mean().sqrt()), float((values * torch.arange(len(values)).cos()).mean())


@contextmanager
def alike() -> Iterator[None]:
    """What makes kinds of CPU agree: float64 by default, and no sign or tie that rounding decides."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with (
            patch.object(torch.linalg, "eigh", partial(signed, torch.linalg.eigh)),
            patch.object(tree_layout, "annealed", partial(exact, tree_layout.annealed)),
        ):
            yield
    finally:
        torch.set_default_dtype(before)


def signed(eigh: Callable[[Tensor], tuple[Tensor, Tensor]], matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors whose greatest entry is positive: LAPACKs differ in their signs."""
    values, vectors = eigh(matrix)
    return values, vectors * vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True)).sign()


def exact(annealed: Callable[..., Any], codes: Any, targets: Any, weights: Any, *others: Any) -> Any:
    """Annealing on short binary fractions: it compares sums that are often equal, and theirs are not rounded."""
    return annealed(codes, np.round(targets * 2**16) / 2**16, np.round(weights * 2**16) / 2**16, *others)


class OtherCPU(TorchFunctionMode):
    """Rounds sums, products and functions otherwise, by a unit in the last place; nothing may be float32."""

    INEXACT = ("cross_entropy", "linear", "matmul", "mean", "normalize", "softmax", "softplus", "sum", "tanh")

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        for item in found if isinstance(found, tuple) else [found]:
            assert not isinstance(item, Tensor) or item.dtype != torch.float32, func
        if func.__name__ not in self.INEXACT or not found.is_floating_point():
            return found
        units = torch.randint(-1, 2, found.shape, generator=self.generator)
        # Whole numbers are no sums of rounded ones.
        return torch.where(found == found.round(), found, found * (1 + units * torch.finfo(found.dtype).eps))


def defaults() -> list[tuple[str, str]]:
    return [
        (name, field.name)
        for name, kind in objectives().items()
        for field in dataclasses.fields(kind.config_type)
    ]


def other(name: str, option: str) -> Any:
    """A value of an option that is not its default."""
    kind = objectives()[name].config_type
    value, hint = getattr(kind(), option), get_type_hints(kind)[option]
    if (name, option) in OTHER:
        return OTHER[name, option]
    if get_origin(hint) is Literal:
        return next(choice for choice in get_args(hint) if choice != value)
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return 1.5 * value or 0.1
        case None:
            return 0.3
        case tuple():  # of the values it stands for where it is empty: an attribute of the same name
            taxonomy, bits = SHAPES["two levels"]
            made = build(name, setting(taxonomy, torch.arange(len(taxonomy)), bits), {})
            return tuple(1.5 * item for item in value or getattr(made, option))
    raise TypeError(f"{name}: tell what {option} can be other than {value!r}")


def golden() -> Any:
    return json.loads(GOLDEN.read_text())


def test_every_method_has_a_trace_of_every_shape() -> None:
    assert {name: list(shapes) for name, shapes in golden().items()} == {
        name: list(SHAPES) for name in objectives()
    }


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", objectives())
def test_trace(name: str, shape: str) -> None:
    assert plain(name, shape) == pytest.approx(golden()[name][shape], rel=TOLERANCE)


@pytest.mark.parametrize("name", objectives())
def test_other_rounding_stays_far_below_the_tolerance(name: str) -> None:
    with OtherCPU():
        found = trace(name)
    assert found == pytest.approx(plain(name, "two levels"), rel=TOLERANCE / 100)


@pytest.mark.parametrize(("name", "option"), defaults())
def test_every_default_shows(name: str, option: str) -> None:
    found = trace(name, **{option: other(name, option)})
    assert found != pytest.approx(plain(name, "two levels"), rel=100 * TOLERANCE)


def main() -> None:
    rounded = {
        name: {shape: [float(f"{number:.12g}") for number in trace(name, shape)] for shape in SHAPES}
        for name in objectives()
    }
    GOLDEN.write_text(
        "{\n" + ",\n".join(f'"{name}": {json.dumps(rounded[name])}' for name in rounded) + "\n}\n"
    )


if __name__ == "__main__":
    main()
