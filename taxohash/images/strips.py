"""Work on an image a strip at a time, so that what it needs in between is small."""

from collections.abc import Callable, Iterator

from PIL import Image

PIXELS = 1 << 17  # of a strip


def by_strips(mode: str, work: Callable[..., Image.Image], *images: Image.Image) -> Image.Image:
    """What `work` gives for images of one size, in `mode`: done on strips of them where they are large.

    Each pixel of its result may depend only on the pixels at the same place, so that strips change nothing.
    """
    size = images[0].size
    if size[0] * size[1] <= PIXELS:
        return work(*images)
    out = Image.new(mode, size)
    for box in strips(*size):
        out.paste(work(*(image.crop(box) for image in images)), box)
    return out


def strips(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes, each as wide as the image, that cover it."""
    rows = max(1, PIXELS // width)
    return ((0, top, width, min(top + rows, height)) for top in range(0, height, rows))
