"""A JSON body from anybody: what no request of ours looks like is refused before it is parsed, and costs nothing.

A search as JSON is few numbers and names, and pictures in base64, which are long texts. So what stands outside of texts is
bounded, and the number of texts is; whatever is nested, repeated or huge beyond these bounds is never built.
"""

import json
from typing import Any

from services.web.refused import RefusedError

MOST_TEXTS = 4096
MOST_QUOTES = 100_000  # that begin or end a text, or stand in one
MOST_REST = 65_536  # bytes outside of texts, blanks included
_QUOTE, _ESCAPE = b'"', b"\\"


def object_of(body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object that a body holds.

    Raises:
        RefusedError: 400, it holds none, or one that no reader has to take: too deep, too long, with a name twice.
    """
    if not _is_small(body):
        raise _refused(f"it has more than {MOST_TEXTS} texts, or {MOST_REST} bytes beside them")
    try:
        found = _DECODER.decode(body.decode())
    except RefusedError:
        raise
    except UnicodeDecodeError:
        raise _refused("it is not UTF-8") from None
    except RecursionError:
        raise _refused("it is too deep") from None
    except json.JSONDecodeError as error:
        raise _refused(f"{error.msg.lower()}, at character {error.pos}") from None
    except ValueError:  # of an integer of thousands of digits
        raise _refused("it has a number that is too long") from None
    if not isinstance(found, dict):
        raise _refused("it is no object")
    return found


def _is_small(body: bytes | bytearray) -> bool:
    """Whether there is little in it beside a few texts, however long these are. Each byte is looked at once."""
    texts = quotes = rest = at = 0
    while texts <= MOST_TEXTS and rest <= MOST_REST:
        begin = body.find(_QUOTE, at)
        if begin < 0:
            return rest + len(body) - at <= MOST_REST
        rest, texts, seen = rest + begin - at, texts + 1, begin + 1
        while True:  # until a quote that is not escaped
            quotes += 1
            end = body.find(_QUOTE, seen)
            if end < 0 or quotes > MOST_QUOTES:
                return end < 0  # a text that does not end: the reader says so
            before = body[seen:end]
            seen = end + 1
            if (len(before) - len(before.rstrip(_ESCAPE))) % 2 == 0:
                break
        at = seen
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _refused("it names a field twice")
    return found


def _no_number(_: str) -> float:
    raise _refused("it has NaN or infinity, which are no JSON")


def _number(text: str) -> float:
    if abs(number := float(text)) == float("inf"):
        raise _refused("it has a number that is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number, parse_float=_number)


def _refused(reason: str) -> RefusedError:
    return RefusedError(
        400, "request", f"JSON cannot be read ({reason}): send one object as the documentation has it"
    )
