"""What is stored of an item: its code by the generation that is served, and the original and thumbnail of its picture."""

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from services.retrieval.form import shown
from services.retrieval.items.labelled import numbers_of
from services.retrieval.items.sent import Draft
from services.retrieval.service import Service
from services.retrieval.stages import Stages
from services.web.refused import RefusedError
from taxohash.codes import Codes, check, code_bytes
from taxohash.errors import TaxohashError

if TYPE_CHECKING:
    from services.retrieval.engine import Engine
    from services.retrieval.following import Served

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, eq=False)
class Made:
    """An item that may be stored.

    Attributes:
        labels: numbers.
        code: uint8[1, ceil(bits/8)].
        pixels: the hash of the picture's pixels, or empty.
        pictures: original and thumbnail, or nothing.
    """

    draft: Draft
    labels: tuple[int, ...]
    code: Codes
    pixels: str = ""
    pictures: tuple[bytes, ...] = ()


async def made_of(service: Service, served: "Served", draft: Draft) -> Made:
    """What is stored of an item. On the loop aside: it waits for decoders and threads, not for other requests.

    Raises:
        RefusedError: 400, an unknown label, or a code that is none; 409, one of another generation; 422, a picture that is
            none; 429, too much waits.
    """
    engine = served.engine
    labels = await service.workers.run(partial(numbers_of, engine, draft.labels))
    if draft.picture is None:
        return Made(draft, labels, given_code(engine, draft))
    stages = Stages()
    with stages.timed("decode"):
        decoded, thumbnail = await service.decoders.read_both(draft.picture, engine.generation.preprocessing)
    outputs = await service.workers.run(partial(engine.encode, decoded.pixels, stages))
    return Made(draft, labels, outputs.codes, decoded.hash, (draft.picture, thumbnail))


def given_code(engine: "Engine", draft: Draft) -> Codes:
    """The code that came with an item.

    Raises:
        RefusedError: 400, it is none; 409, it is one of another generation.
    """
    bits, text = engine.generation.bits, draft.code or ""
    if draft.generation != engine.id:
        raise RefusedError(
            409,
            "generation",
            f"code is of generation {shown(draft.generation or '')}, and {engine.id} is served: encode it by that",
        )
    wanted = f"give {2 * code_bytes(bits)} hexadecimal digits, bits beyond the first {bits} zero"
    if not _HEX.fullmatch(text):
        raise RefusedError(400, "parameter", f"code is {shown(text)}: {wanted}")
    try:
        return check(np.frombuffer(bytes.fromhex(text), np.uint8)[None], bits, rows=1)
    except TaxohashError:
        raise RefusedError(400, "parameter", f"code {shown(text)} is none of {bits} bits: {wanted}") from None
