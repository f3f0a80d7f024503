"""What the losses of an epoch were, read from the device now and then, and why one is not finite."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from taxohash.errors import TaxohashError

# Outputs so many times as far out as at first are taken for a sign of steps that are too long.
GROWTH = 100.0


class Losses:
    """Means of the loss and its terms over the examples of an epoch.

    A step's values wait on the device until `read`, so that the host need not wait for each.
    """

    def __init__(self, lr: float) -> None:
        self._lr = lr
        self._names: list[str] = []
        self._waiting: list[tuple[int, Tensor]] = []
        self._first_reach: float | None = None
        self.start(0, 0)

    def start(self, epoch: int, steps: int) -> None:
        """Forget the sums; epoch `epoch`, counted from 0, has this many steps."""
        self._epoch, self._steps = epoch, steps
        self._sums = dict.fromkeys(self._names, 0.0)
        self._read = self._examples = 0

    def add(
        self, examples: int, loss: Tensor, terms: Mapping[str, Tensor], outputs: Tensor, gradient: Tensor
    ) -> None:
        """Note a step.

        Args:
            outputs: of the network, float[...].
            gradient: its length, before it was clipped.
        """
        self._names = ["loss", *terms]
        values = (loss, *terms.values(), outputs.abs().amax(), gradient)
        self._waiting.append((examples, torch.stack([value.detach().double() for value in values])))

    def read(self) -> dict[str, float]:
        """Means by name, so far.

        Raises:
            TaxohashError: something is not finite; says when, what and, where it is known, why.
        """
        rows: Sequence[Sequence[float]] = (
            torch.stack([row for _, row in self._waiting]).tolist() if self._waiting else []
        )
        for (examples, _), (*values, reach, gradient) in zip(self._waiting, rows, strict=True):
            self._read += 1
            self._check(dict(zip(self._names, values, strict=True)), reach, gradient)
            self._examples += examples
            for name, value in zip(self._names, values, strict=True):
                self._sums[name] = self._sums.get(name, 0.0) + value * examples
        self._waiting.clear()
        return {name: value / max(self._examples, 1) for name, value in self._sums.items()}

    def _check(self, values: Mapping[str, float], reach: float, gradient: float) -> None:
        first = self._first_reach
        told = {f"term {name!r}": value for name, value in values.items() if name != "loss"}
        told = {
            "an output of the network": reach,
            **told,
            "the loss": values["loss"],
            "its gradient": gradient,
        }
        wrong = next((name for name, value in told.items() if not math.isfinite(value)), None)
        if wrong is None:
            self._first_reach = reach if first is None else first
            return
        where = f"{wrong} is {told[wrong]} in step {self._read} of {self._steps} of epoch {self._epoch + 1}"
        if first is not None and not reach <= GROWTH * first:
            raise TaxohashError(
                f"{where}: outputs of the network were at first within {first:.3g}, now {reach:.3g}: lower lr = {self._lr}"
            )
        if not math.isfinite(reach):
            raise TaxohashError(
                f"{where}, before a step was taken: look for numbers that are not finite in the inputs or the weights it starts from"
            )
        raise TaxohashError(
            f"{where}, while outputs of the network are within {reach:.3g}: look at the objective's options"
        )
