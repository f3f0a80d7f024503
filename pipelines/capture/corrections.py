"""Labels that a person gives to sampled queries, which have none of their own.

CSV, a query a line: its name or the beginning of its digest, as `taxohash store sampled list` shows it, then its label paths
    9f86d081884c,tops/shirt
JSON lines: {"query": "9f86d081884c", "labels": ["tops/shirt"]}
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.codestore.sampled import Kept
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Series, configuration, read
from taxohash.taxonomy import Taxonomy

LEAST_DIGITS = 12  # of a digest, as the listing shows them
_HEADING = "query"


@configuration
class _Line:
    """A line of JSON."""

    query: str
    labels: Series[str]


@dataclass(frozen=True)
class Correction:
    """The labels of one query.

    Attributes:
        where: it was read, for messages.
        query: a name, or the beginning of a digest in hex.
        labels: of the taxonomy.
    """

    where: str
    query: str
    labels: tuple[int, ...]


def read_corrections(file: Path, taxonomy: Taxonomy) -> list[Correction]:
    """The corrections in a file, .jsonl or else CSV.

    Raises:
        TaxohashError: it cannot be read, a line of it is none, or names a label that the taxonomy does not have.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            parsed = _json_lines if file.suffix in (".jsonl", ".json") else _csv_lines
            return [_correction(file, taxonomy, *line) for line in parsed(file, lines)]
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): give a file of corrections") from None
    except UnicodeDecodeError:
        raise TaxohashError(f"{file} is not UTF-8: write it in UTF-8") from None


def matched(
    corrections: Iterable[Correction], kept: Iterable[Kept]
) -> tuple[dict[str, tuple[int, ...]], list[Correction]]:
    """The labels of pictures by their digest, and corrections of queries that are not there any more.

    Raises:
        TaxohashError: one may mean several pictures, or two of them say different labels of one.
    """
    found: dict[str, Correction] = {}
    gone: list[Correction] = []
    digests = {one.name: one.digest for one in kept}
    known = set(digests.values())
    for one in corrections:
        meant = {digests[one.query]} if one.query in digests else _beginning(known, one.query)
        if len(meant) > 1:
            raise TaxohashError(
                f"{one.where} names {one.query!r}, which {len(meant)} queries begin with: give more digits"
            )
        if not meant:
            gone.append(one)
            continue
        (digest,) = meant
        if set(found.setdefault(digest, one).labels) != set(one.labels):
            raise TaxohashError(
                f"{one.where} gives {one.query!r} other labels than {found[digest].where}: keep one of them"
            )
    return {digest: one.labels for digest, one in found.items()}, gone


def _beginning(digests: Iterable[str], query: str) -> set[str]:
    return {digest for digest in digests if digest.startswith(query)} if len(query) >= LEAST_DIGITS else set()


def _csv_lines(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    rows = csv.reader(lines, strict=True)
    try:
        for cells in rows:
            words = [cell.strip() for cell in cells]
            if any(words) and not (rows.line_num == 1 and words[0] == _HEADING):
                yield rows.line_num, words[0], tuple(filter(None, words[1:]))
    except csv.Error as error:
        raise TaxohashError(
            f"line {rows.line_num} of {file} is not CSV ({error}): write query,label"
        ) from None


def _json_lines(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, Mapping):
            raise TaxohashError(
                f'line {number} of {file} is no object of JSON: write {{"query": ..., "labels": [...]}}'
            )
        try:
            line = read(_Line, data)
        except TaxohashError as error:
            raise TaxohashError(f"line {number} of {file}: {error}") from None
        yield number, line.query, line.labels


def _correction(
    file: Path, taxonomy: Taxonomy, number: int, query: str, paths: tuple[str, ...]
) -> Correction:
    where = f"line {number} of {file}"
    if not query or not paths:
        raise TaxohashError(f"{where} gives {query!r} no label: write the query and at least one label path")
    try:
        labels = dict.fromkeys(taxonomy.label(path.split("/")) for path in paths)
    except TaxohashError as error:
        raise TaxohashError(f"{where}: {error}") from None
    return Correction(where, query, tuple(labels))
