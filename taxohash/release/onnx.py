"""A trained network as ONNX, and the proof that it makes the same codes."""

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


def write_onnx(network: "HashingNetwork", file: Path) -> None:
    """`images` uint8[n, C, H, W] -> `outputs` float32[n, bits], normalisation inside, any n."""
    import onnx
    import torch

    example = torch.zeros((2, *network.preprocessing.shape), dtype=torch.uint8)
    network = network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its successor takes fifteen seconds for the same graph
        torch.onnx.export(
            network,
            (example,),
            file,
            input_names=["images"],
            output_names=["outputs"],
            dynamic_axes={"images": {0: "n"}, "outputs": {0: "n"}},
            dynamo=False,
        )
    model = onnx.load(file)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))


def check_equal(network: "HashingNetwork", hasher: Model, pixels: Pixels) -> None:
    """Codes of the exported hasher equal those of the network bit for bit.

    Raises:
        TaxohashError: a bit differs whose output is not within rounding of zero.
    """
    import torch

    with torch.inference_mode():
        ours = network(torch.from_numpy(pixels)).numpy()
    theirs = hasher.outputs(pixels)
    differing = ((ours >= 0) != (theirs >= 0)) & (np.abs(ours) > UNDECIDED)
    if differing.any():
        raise TaxohashError(
            f"exported hasher differs in {int(differing.sum())} of {ours.size} bits on {len(pixels)} images: "
            "the export is wrong, report it"
        )
