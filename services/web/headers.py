"""Headers as ASGI has them: pairs of bytes, names in lower case."""

Headers = list[tuple[bytes, bytes]]


def values(headers: Headers, name: bytes) -> list[bytes]:
    """All values of a header, in their order."""
    return [value for own, value in headers if own == name]


def first(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a header."""
    return next((value for own, value in headers if own == name), None)
