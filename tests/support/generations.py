"""A tiny generation made without torch: a random projection of 8 x 8 grey pixels."""

import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from taxohash.generation.calibration import Calibration
from taxohash.generation.manifest import Generation
from taxohash.images import Preprocessing
from taxohash.runtime.configuration import plain
from taxohash.taxonomy import Taxonomy

SIDE = 8
BITS = 20  # no multiple of 8, on purpose
TAXONOMY = Taxonomy(
    name="signs",
    level_names=("kind", "family", "sign"),
    paths=(
        ("warm", "red", "scarlet"),
        ("warm", "red", "crimson"),
        ("warm", "yellow"),
        ("cold", "blue", "navy"),
        ("cold", "blue", "sky"),
        ("grey <b>&amp;",),
    ),
)


def make_generation(
    folder: Path, seed: int = 0, bits: int = BITS, calibration: Calibration | None = None
) -> Generation:
    """Write a generation into `folder`; another seed is another hasher.

    Args:
        calibration: where it has limits of novelty, pictures with much less or more contrast than random pixels pass them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.random.default_rng(seed).normal(size=(SIDE * SIDE, bits)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["real"], ["flat"]),
        helper.make_node("Sub", ["flat", "middle"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["outputs"]),
    ]
    outputs, numbers = [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["n", bits])], []
    if calibration and calibration.novelty:
        nodes += [
            helper.make_node("Abs", ["centred"], ["sizes"]),
            helper.make_node("ReduceMean", ["sizes", "axes"], ["contrast"], keepdims=1),
            helper.make_node("Sub", ["contrast", "usual"], ["unusual"]),
            helper.make_node("Abs", ["unusual"], ["far"]),
            helper.make_node("Div", ["far", "step"], ["steps"]),
            helper.make_node("Concat", ["steps", "steps"], ["novelty"], axis=1),
        ]
        numbers = [
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
            numpy_helper.from_array(np.array(63.75, np.float32), "usual"),
            numpy_helper.from_array(np.array(4, np.float32), "step"),
        ]
        outputs.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["n", 2]))
    graph = helper.make_graph(
        nodes,
        "hasher",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 1, SIDE, SIDE])],
        outputs,
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array(127.5, np.float32), "middle"),
            *numbers,
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "hasher.onnx")
    TAXONOMY.save(folder / "taxonomy.json")
    return Generation(
        bits=bits,
        objective={"name": "projection", "seed": seed},
        network="projection",
        preprocessing=Preprocessing(size=SIDE, channels=1, fit="pad", mean=(127.5,), std=(1.0,)),
        taxonomy_sha256=TAXONOMY.sha256,
        dataset_md5="0" * 32 + ".dir",
        code_revision={},
        evaluation={"protocol": "none"},
        bit_health={},
        reference={},
        calibration=plain(calibration) if calibration else {},
    ).write(folder)


def pictures(count: int, seed: int = 1) -> list[bytes]:
    """PNG files of random grey pixels."""
    random = np.random.default_rng(seed)
    return [png(random.integers(0, 256, (SIDE, SIDE), np.uint8)) for _ in range(count)]


def png(pixels: "np.ndarray[tuple[int, int], np.dtype[np.uint8]]") -> bytes:
    """A PNG file of grey pixels uint8[H, W]."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
