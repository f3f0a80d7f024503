"""Whether two pictures are the same once they are decoded, whatever their bytes: 8 bytes of a hash tell."""

from hashlib import blake2b

from PIL import Image

from taxohash.images.strips import strips

DIGITS = 16  # hexadecimal


def pixel_hash(image: Image.Image, reader: int) -> str:
    """16 hexadecimal digits: equal where size and pixels are, else with a chance of one in 2**64.

    A grey picture is equal to a coloured one whose pixels are those greys.

    Args:
        image: as `decode` gives it.
        reader: version of the reader that gave it: another may give other pixels.
    """
    digest = blake2b(f"{reader} {image.width} {image.height}\n".encode(), digest_size=DIGITS // 2)
    for box in strips(*image.size):
        part = image.crop(box)
        digest.update((part if part.mode == "RGB" else part.convert("RGB")).tobytes())
    return digest.hexdigest()
