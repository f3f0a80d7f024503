"""Turning images into codes with an exported hasher: ONNX Runtime, no torch."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from taxohash.codes import Codes, pack
from taxohash.errors import TaxohashError
from taxohash.generation import Generation
from taxohash.images import Pixels, to_array
from taxohash.taxonomy import Taxonomy

MODEL = "hasher.onnx"


class Hasher:
    """The hasher of one generation. Safe to call from several threads."""

    def __init__(self, generation: Generation, taxonomy: Taxonomy, session: onnxruntime.InferenceSession) -> None:
        self.generation = generation
        self.taxonomy = taxonomy
        self._session = session

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1) -> "Hasher":
        """Open a generation's folder after checking every byte of it.

        Raises:
            TaxohashError: see Generation.load; or the model is not the one the manifest describes.
        """
        folder = Path(folder)
        generation = Generation.load(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        takes, gives = session.get_inputs()[0], session.get_outputs()[0]
        if takes.shape[1:] != list(generation.preprocessing.shape) or gives.shape[1] != generation.bits:
            raise TaxohashError(
                f"{folder / MODEL} maps {takes.shape[1:]} to {gives.shape[1:]}, generation {generation.id} says "
                f"{list(generation.preprocessing.shape)} to {generation.bits} bits: export it again"
            )
        return cls(generation, Taxonomy.load(folder), session)

    def outputs(self, pixels: Pixels) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Real-valued outputs float32[N, bits] of uint8[N, C, H, W]."""
        (result,) = self._session.run(["outputs"], {"images": pixels})
        return result  # type: ignore[no-any-return]

    def encode(self, pixels: Pixels, batch: int = 256) -> Codes:
        """Packed codes uint8[N, ceil(bits/8)] of preprocessed images uint8[N, C, H, W]."""
        width = (self.generation.bits + 7) // 8
        codes = np.empty((len(pixels), width), np.uint8)
        for start in range(0, len(pixels), batch):
            codes[start : start + batch] = pack(self.outputs(pixels[start : start + batch]))
        return codes

    def encode_images(self, images: Iterable[Image.Image]) -> Codes:
        """Packed codes of decoded images."""
        pixels = [to_array(image, self.generation.preprocessing) for image in images]
        if not pixels:
            return np.empty((0, (self.generation.bits + 7) // 8), np.uint8)
        return self.encode(np.stack(pixels))
