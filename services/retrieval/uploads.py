"""From an HTTP request to a checked search: a bounded body, one picture, k and a taxonomy node.

The body is counted while it streams in and never held beyond its limit; nothing is parsed that has not
passed that count, and nothing of the picture is looked at here.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.retrieval.errors import RefusedError
from services.retrieval.settings import Limits

IMAGE = "image"
PARAMETERS = ("k", "within")
DEFAULT_K = 10
_FIELD_BYTES = 4096

# It would write a line for every malformed body that anybody cares to send.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Search:
    """One search as the client asked for it.

    Attributes:
        image: bytes of the picture, not decoded.
        k: number of answers wanted.
        within: path of a taxonomy node, or None for all items.
    """

    image: bytes
    k: int
    within: str | None


async def read_search(request: Request, limits: Limits) -> Search:
    """Read and check a search; parameters may stand in the query or in the form.

    Raises:
        RefusedError: 400, 408, 413 or 415, with what is wrong.
    """
    parser = _parser(request, limits)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            form = await parser.parse()
        return await _check([*request.query_params.multi_items(), *form.multi_items()], limits.k)
    except TimeoutError:
        raise RefusedError(
            408,
            "slow",
            f"body did not arrive within {limits.upload_seconds:g} seconds: send a smaller picture or use a faster connection",
            {"Connection": "close"},
        ) from None
    except MultiPartException as error:
        reason = error.message.rstrip(".")
        raise RefusedError(
            400, "form", f"form cannot be read ({reason}): send multipart/form-data with one file in 'image'"
        ) from None
    finally:
        for file in parser._files_to_close_on_error:  # of a part that never ended only the parser knows
            file.close()


async def _check(fields: list[tuple[str, str | UploadFile]], most: int) -> Search:
    texts: dict[str, str] = {}
    images: list[bytes] = []
    for name, value in fields:
        if name == IMAGE and isinstance(value, UploadFile):
            images.append(await value.read())
        elif name == IMAGE:
            raise RefusedError(400, "form", "field 'image' holds text: send it as a file, with a filename")
        elif name not in PARAMETERS or isinstance(value, UploadFile):
            raise RefusedError(
                400,
                "form",
                f"field {_short(name)} is not known: send the file 'image', and 'k' or 'within' as text",
            )
        elif name in texts:
            raise RefusedError(400, "form", f"parameter {name!r} is given twice: give it once")
        else:
            texts[name] = value
    if len(images) != 1:
        raise RefusedError(
            400, "form", f"form has {len(images)} files in the field 'image': send exactly one"
        )
    if not images[0]:
        raise RefusedError(400, "form", "file in the field 'image' is empty: send a picture")
    return Search(images[0], parse_k(texts.get("k"), most), texts.get("within") or None)


def parse_k(text: str | None, most: int) -> int:
    """The number of answers wanted.

    Raises:
        RefusedError: not a whole number between 1 and `most`.
    """
    if text is None or text == "":
        return min(DEFAULT_K, most)
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most:
        return int(text)
    raise RefusedError(400, "parameter", f"k is {_short(text)}: give a whole number from 1 to {most}")


def _parser(request: Request, limits: Limits) -> MultiPartParser:
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != "multipart/form-data":
        raise RefusedError(
            415,
            "content-type",
            f"content type is {_short(content_type)}: send multipart/form-data with the picture in 'image'",
        )
    parser = MultiPartParser(
        request.headers,
        _bounded(request, limits.body_bytes),
        max_files=2,  # so that a second one is counted and named, not just an error of the parser
        max_fields=2 * len(PARAMETERS),
        max_part_size=_FIELD_BYTES,
    )
    parser.spool_max_size = limits.body_bytes  # never on disk
    return parser


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks, until there are more than `most` bytes of them; announced ones count at once."""
    too_large = RefusedError(413, "body", f"body has more than {most} bytes: send a smaller picture")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > most):
        raise too_large
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > most:
            raise too_large
        yield chunk


def _short(text: str) -> str:
    """What the client sent, fit to stand in a sentence."""
    return repr(text if len(text) <= 60 else text[:60] + "...")
