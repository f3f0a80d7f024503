"""Pictures on white in headless Chromium are what the hasher sees."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium import webdriver

from taxohash.images import decode
from taxohash.images.thumbnails import thumbnail
from tests.support import naive_png
from tests.support.browser import NEEDED
from tests.support.naive_png import FORMS, SAMPLES, chunk
from tests.support.pictures import every_picture

pytestmark = [pytest.mark.system, NEEDED]
DRAW = """
const [uri, done] = arguments, image = new Image();
image.onerror = () => done(null);
image.onload = () => {
  const canvas = Object.assign(document.createElement("canvas"), {width: image.naturalWidth, height: image.naturalHeight});
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  done([canvas.height, canvas.width, Array.from(pixels.data)]);
};
image.src = uri;
"""


def forms() -> Iterator[tuple[str, bytes]]:
    """Each form of PNG, opaque and with transparency where it can have one."""
    for colour, depth in FORMS:
        levels = np.random.default_rng(depth).integers(0, 1 << depth, 4)
        samples = np.random.default_rng(depth).choice(levels, (6, 7, SAMPLES[colour]))
        palette = chunk(b"PLTE", np.random.default_rng(1).bytes(3 << depth)) if colour == 3 else b""
        yield f"form {colour} {depth}", naive_png.encode(samples, colour, depth, before=palette)
        if colour in (0, 2, 3):
            key = b"".join(level.to_bytes(2, "big") for level in samples[0, 0].tolist())
            before = palette + chunk(b"tRNS", b"\x80\0" if colour == 3 else key)
            yield f"form {colour} {depth} tRNS", naive_png.encode(samples, colour, depth, before=before)


# Chromium leaves a WebP as it lies, whatever its metadata say.
PICTURES = {name: data for name, data in [*every_picture(), *forms()] if name != "WEBP turned"}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_and_its_thumbnail_look_as_they_are_read(chromium: webdriver.Chrome, name: str) -> None:
    data = PICTURES[name]
    expected = np.asarray(decode(data).convert("RGB")).astype(int)
    for shown in (data, thumbnail(data)):
        found = drawn(chromium, shown)
        assert found.shape == expected.shape
        assert abs(found - expected).max() <= 1  # rounding of opacity


def drawn(chromium: webdriver.Chrome, data: bytes) -> npt.NDArray[np.int64]:
    """What the browser draws on white, int64[H, W, 3]."""
    uri = "data:;base64," + base64.b64encode(data).decode()
    told: Any = chromium.execute_async_script(DRAW, uri)
    assert told is not None
    height, width, levels = told
    return np.array(levels, np.int64).reshape(height, width, 4)[..., :3]
