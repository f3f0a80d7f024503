"""multipart/form-data (RFC 7578, framed as RFC 2046 says), read from a whole body in one pass.

Strict where others guess: what two readers could take for two things is refused, with a sentence that says what it is.
"""

import re
from dataclasses import dataclass

from services.web.refused import RefusedError

MAX_PARTS = 96  # pictures of a batch, and what is said of all of them
MAX_HEADER_BYTES = 4096  # of one part
MAX_TEXT_BYTES = 4096  # of one part without a filename

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rf'(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")'
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*({_TOKEN})[ \t]*=[ \t]*{_VALUE}[ \t]*", re.DOTALL)
_KIND = re.compile(rf"[ \t]*({_TOKEN}(?:/{_TOKEN})?)[ \t]*")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_HEADER = re.compile(rf"({_TOKEN}):[ \t]*([^\r\n\0]*)")
_PLAIN = ("7bit", "8bit", "binary")  # transfer encodings that change nothing


@dataclass(frozen=True)
class Part:
    """One part of a form.

    Attributes:
        is_file: it came with a filename, which is not kept.
    """

    name: str
    is_file: bool
    content: bytes


def kind_of(header: str) -> tuple[str, dict[str, str]] | None:
    """A value with parameters, such as a content type: in lower case, and its parameters; None where it is malformed.

    So are parameters that are given twice: it is not for us to choose.
    """
    if not (found := _KIND.match(header)):
        return None
    parameters: dict[str, str] = {}
    end = found.end()
    while end < len(header):
        one = _PARAMETER.match(header, end)
        if one is None:
            return (found[1].lower(), parameters) if header[end:].strip(" \t") == ";" else None
        name = one[1].lower()
        if name in parameters:
            return None
        parameters[name] = one[2] if one[2] is not None else re.sub(r"\\(.)", r"\1", one[3], flags=re.DOTALL)
        end = one.end()
    return found[1].lower(), parameters


def boundary_of(parameters: dict[str, str]) -> bytes:
    """What stands between parts, by the parameters of the content type.

    Raises:
        RefusedError: 400, there is none, or it can be none.
    """
    boundary = parameters.get("boundary")
    if boundary is None:
        raise _malformed("its content type names no boundary")
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed("its boundary is none: 1 to 70 letters, digits and ' ( ) + _ , - . / : = ?")
    return boundary.encode("ascii")


def parts_of(
    body: bytes | bytearray, boundary: bytes, most: int = MAX_PARTS, text_bytes: int = MAX_TEXT_BYTES
) -> list[Part]:
    """The parts of a form in their order. What stands before the first and after the last is passed over, as RFC 2046 says.

    Args:
        most: parts.
        text_bytes: of one part without a filename, at most.

    Raises:
        RefusedError: 400, it is no form.
    """
    delimiter = b"\n--" + boundary
    if body.startswith(delimiter[1:]):
        end, last = _line_after(body, len(delimiter) - 1)
    else:
        end, last = _next(body, delimiter, 0)[1:]
    parts: list[Part] = []
    while not last:
        if len(parts) == most:
            raise _malformed(f"it has more than {most} parts")
        # The line end before this delimiter may be that of the last one: a part without headers and content.
        stop, following, last = _next(body, delimiter, end - 1)
        parts.append(_part(body, end, stop, text_bytes))
        end = following
    return parts


def _next(body: bytes | bytearray, delimiter: bytes, start: int) -> tuple[int, int, bool]:
    """Where the next delimiter begins, where what follows its line begins, and whether it is the last."""
    if (found := body.find(delimiter, start)) < 0:
        raise _malformed("it does not end with its boundary")
    if body[max(found - 1, 0) : found] != b"\r":
        raise _malformed("its boundary does not stand on a line of its own")
    return found - 1, *_line_after(body, found + len(delimiter))


def _line_after(body: bytes | bytearray, end: int) -> tuple[int, bool]:
    """Where the line ends on which a delimiter ends, and whether it is the last delimiter."""
    last = body[end : end + 2] == b"--"
    end += 2 * last
    while body[end : end + 1] in (b" ", b"\t"):
        end += 1
    if body[end : end + 2] == b"\r\n":
        return end + 2, last
    if last and end == len(body):
        return end, True
    raise _malformed("its boundary does not stand on a line of its own")


def _part(body: bytes | bytearray, start: int, stop: int, text_bytes: int) -> Part:
    """The part between two delimiters."""
    limit = min(start + MAX_HEADER_BYTES, stop)
    blank = body.find(b"\r\n\r\n", start, limit)
    if blank < 0:
        long = limit < stop
        raise _malformed(
            f"a part has more than {MAX_HEADER_BYTES} bytes of headers"
            if long
            else "a part has no Content-Disposition with a name"
        )
    headers = _headers(bytes(body[start:blank]))
    name, is_file = _disposition(headers.get("content-disposition", ""))
    if (encoding := headers.get("content-transfer-encoding", "binary").strip().lower()) not in _PLAIN:
        raise _malformed(f"part {shown(name)} is encoded as {shown(encoding)}: send its bytes as they are")
    size = stop - blank - 4
    if not is_file and size > text_bytes:
        raise _malformed(
            f"part {shown(name)} is text, as it has no filename, and has {size} bytes:"
            f" at most {text_bytes}, and a picture with a filename"
        )
    with memoryview(body) as view:
        return Part(name, is_file, bytes(view[blank + 4 : stop]))


def _headers(text: bytes) -> dict[str, str]:
    """Headers of a part by their names in lower case."""
    found: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").split("\r\n"):
        header = _HEADER.fullmatch(line)
        if header is None or header[1].lower() in found:
            raise _malformed("a part has a header that is malformed, or given twice")
        found[header[1].lower()] = header[2]
    return found


def _disposition(header: str) -> tuple[str, bool]:
    """Name of a part, and whether it is a file."""
    found = kind_of(header)
    if found is None or found[0] != "form-data" or "name" not in found[1]:
        raise _malformed("a part has no Content-Disposition: form-data with one name")
    return found[1]["name"], not {"filename", "filename*"}.isdisjoint(found[1])


def shown(given: object) -> str:
    """What a client sent, fit to stand in a sentence."""
    text = repr(given[:61] if isinstance(given, str) else given)
    return text if len(text) <= 64 else text[:60] + "..." + text[0] * isinstance(given, str)


def _malformed(reason: str) -> RefusedError:
    return RefusedError(
        400, "form", f"form cannot be read ({reason}): send multipart/form-data with a file in 'image'"
    )
