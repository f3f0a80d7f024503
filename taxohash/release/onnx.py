"""A trained network as ONNX, and the proof that it makes the same codes and asks with the same weights."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Model
from taxohash.images import Pixels

if TYPE_CHECKING:
    from taxohash.networks.hashing import HashingNetwork

# An output this close to zero may round to either side in another engine; its bit carries no meaning.
UNDECIDED = 1e-5
# By which a weight may differ in another engine, as a share of the query's greatest.
ROUNDING = 1e-3


def write_onnx(network: "HashingNetwork", file: Path) -> None:
    """`images` uint8[n, C, H, W] -> `outputs` and `query` float32[n, bits], normalisation inside, any n.

    The signs of `outputs` are the codes; `query` is the form by which a query ranks by weights.
    """
    import onnx
    import torch

    from taxohash.networks.hashing import Asking

    example = torch.zeros((2, *network.preprocessing.shape), dtype=torch.uint8)
    network = network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its successor takes fifteen seconds for the same graph
        torch.onnx.export(
            Asking(network).eval(),
            (example,),
            file,
            input_names=["images"],
            output_names=["outputs", "query"],
            dynamic_axes={name: {0: "n"} for name in ("images", "outputs", "query")},
            dynamo=False,
        )
    model = onnx.load(file)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))


def check_equal(network: "HashingNetwork", hasher: Model, pixels: Pixels) -> None:
    """Codes of the exported hasher equal those of the network bit for bit, its query forms within rounding.

    Raises:
        TaxohashError: a bit differs whose output is not within rounding of zero, or a weight by more than rounding.
    """
    import torch

    with torch.inference_mode():
        ours, form = (own.numpy() for own in network.ask(torch.from_numpy(pixels)))
    theirs, other = hasher.ask(pixels)
    differing = ((ours >= 0) != (theirs >= 0)) & (np.abs(ours) > UNDECIDED)
    unequal = ~(np.abs(form - other) <= ROUNDING * np.abs(form).max(axis=1, keepdims=True) + UNDECIDED)
    for wrong, what in ((differing, "bits"), (unequal, "weights of queries")):
        if wrong.any():
            raise TaxohashError(
                f"exported hasher differs in {int(wrong.sum())} of {ours.size} {what} on {len(pixels)} images: "
                "the export is wrong, report it"
            )
