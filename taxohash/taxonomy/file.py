"""What may stand in a taxonomy.json, and the one line about what may not."""

import json
from typing import Annotated, Any, NoReturn

from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import Series, configuration, read
from taxohash.runtime.schema_words import shown, wanted_by

Name = Annotated[str, Field(min_length=1)]


@configuration
class TaxonomyFile:
    """The content of a taxonomy.json; see `Taxonomy`."""

    name: Name
    levels: Series[Name] | None = None
    paths: Series[Series[Name]]
    source: str = ""
    licence: str = ""


def parse(text: str, where: str) -> TaxonomyFile:
    """The content that JSON text describes; a byte order mark before it is no part of it.

    Raises:
        TaxohashError: not JSON, a key that stands twice or is not known, or a value of another form; says where.
    """
    try:
        data = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=_without_repetition, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        raise TaxohashError(
            f"taxonomy {where} is not JSON (line {error.lineno}: {error.msg}): repair it"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TaxohashError(f"taxonomy {where} is not JSON of a taxonomy ({error}): repair it") from None
    if not isinstance(data, dict):
        raise TaxohashError(f"taxonomy {where} is {shown(data)}: give {wanted_by(TaxonomyFile)}")
    try:
        return read(TaxonomyFile, data)
    except TaxohashError as error:
        raise TaxohashError(f"taxonomy {where} does not have its form: {error}") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
