"""Answers that who asks has already, as their tag tells: only that is said then, with 304."""

from starlette.requests import Request


def is_known(request: Request, tag: str) -> bool:
    """Whether who asks has the answer of this entity tag, quotes included (`If-None-Match`, RFC 9110, 13.1.2: compared weakly)."""
    given = ",".join(request.headers.getlist("if-none-match")).split(",")
    return not {"*", tag}.isdisjoint(one.strip().removeprefix("W/") for one in given)
