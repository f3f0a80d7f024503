"""Many queries as requests that the service takes."""

from collections.abc import Iterable, Iterator

from taxohash.client.calls import MOST_BYTES, MOST_QUERIES
from taxohash.client.queries import Code, ItemId, Query, bytes_of


def split(queries: Iterable[Query]) -> Iterator[list[Query]]:
    """The queries in their order, in parts of at most MOST_QUERIES with pictures of at most MOST_BYTES; one alone may have more.

    Raises:
        TaxohashError: a picture's file cannot be read.
    """
    part: list[Query] = []
    size = 0
    for given in queries:
        query = given if isinstance(given, ItemId | Code) else bytes_of(given)
        own = len(query) if isinstance(query, bytes) else 0
        if part and (len(part) == MOST_QUERIES or size + own > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(query)
        size += own
    if part:
        yield part
