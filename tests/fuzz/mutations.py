"""Changes to an input that keep its form, so that what lies behind a parser is reached as well."""

import json
import random
from typing import Any

import atheris

ODD_VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 64, 255, 2**31, 2**32, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", " ", "a", "/", "..", "a\nb", "a\u2028b", "\0", "\ud800", "é", "x" * 300, [], {}, [[]], [None],
    {"": 0}, {"a\nb": 1},
]  # fmt: skip


def changed_bytes(data: bytes, most: int) -> bytes:
    """What libFuzzer makes of bytes, at most `most` long."""
    return bytes(atheris.Mutate(data, max(most, 1)))


def changed_json(text: bytes, most: int, draw: random.Random) -> bytes:
    """JSON with another value somewhere, something more or something less; what is no JSON, or now and then, as bytes."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return changed_bytes(text, most)
    if draw.random() < 0.2:
        return changed_bytes(text, most)
    return json.dumps(changed_tree(tree, draw), indent=draw.choice((None, 1))).encode()


def changed_tree(tree: Any, draw: random.Random) -> Any:
    """A tree of JSON values that differs in one place."""
    if not isinstance(tree, dict | list) or not tree or draw.random() < 0.15:
        return _changed_value(tree, draw)
    copy: Any = tree.copy()
    place = draw.choice(list(copy) if isinstance(copy, dict) else range(len(copy)))
    match draw.randrange(8):
        case 0:
            del copy[place]
        case 1 if isinstance(copy, dict):
            copy[draw.choice(["", "more", "a\nb", "\ud800"])] = copy[place]
        case 1:
            copy.insert(place, draw.choice(copy))
        case 2:
            other = draw.choice(list(copy.values()) if isinstance(copy, dict) else copy)
            copy[place] = other
        case _:
            copy[place] = changed_tree(copy[place], draw)
    return copy


def _changed_value(value: Any, draw: random.Random) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and draw.random() < 0.6:
        return value + draw.choice((-64, -8, -1, 1, 8, 64))
    if isinstance(value, str) and value and draw.random() < 0.5:
        return changed_bytes(value.encode(errors="surrogatepass"), 2 * len(value)).decode(
            errors="surrogateescape"
        )
    return draw.choice(ODD_VALUES)
