"""A sampled query as bytes: the picture as it was sent, a newline, and what was answered as a line of JSON.

One file, so that it is whole or absent on S3 too; the picture first, so that any tool shows it: what reads pictures leaves
alone what comes behind their end. Nothing tells who asked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Count, NonNegative, Series, Share, configuration, plain, read

Whole = Annotated[int, Field(ge=0)]


@configuration
class Node:
    """One of a predicted path.

    Attributes:
        confidence: that the query is of it.
    """

    name: str
    confidence: Share


@configuration
class Facts:
    """What was answered.

    Attributes:
        when: Unix time, in whole seconds.
        share: of the queries that were sampled then; each stands for so many as its inverse says.
        generation: that answered; of its hasher is the code, and of its items the nearest.
        bits: of a code.
        code: hexadecimal digits.
        pixels: hash of the picture's pixels, see `taxohash.images.pixel_hash`.
        nearest: Hamming distance of the nearest of all items, whatever was asked for; `bits` where there was no item.
        identical: whether an item had the very picture: the nearest is it, then, and tells nothing of drift.
        predicted: the query's own path, coarse to fine, cut where it was not sure; None where that was not measured.
        unlike, novelty: whether it was like nothing known, and by how much; None where that was not measured.
    """

    when: Whole
    share: Share
    generation: str
    bits: Count
    code: str
    pixels: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    nearest: Whole
    identical: bool = False
    predicted: Series[Node] | None = None
    unlike: bool | None = None
    novelty: NonNegative | None = None


@dataclass(frozen=True)
class SampledQuery:
    """A picture that was searched for; `picture` is its bytes as they were sent."""

    picture: bytes
    facts: Facts


def file_of(query: SampledQuery) -> bytes:
    """The bytes that are kept."""
    return query.picture + b"\n" + json.dumps(plain(query.facts), separators=(",", ":")).encode()


def query_in(data: bytes) -> SampledQuery:
    """What some bytes keep. What a later release says besides is left out.

    Raises:
        TaxohashError: they keep nothing of this form.
    """
    picture, newline, line = data.rpartition(b"\n")
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not newline or not isinstance(told, Mapping):
        raise TaxohashError("no sampled query: it does not end in a line of JSON")
    names = {own.name for own in fields(Facts)}
    return SampledQuery(picture, read(Facts, {name: told[name] for name in names & told.keys()}))
