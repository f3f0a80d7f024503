"""Where a generation comes from: `taxohash lineage ID`, asked of the code store, or of a service by --url.

The code store is that of TAXOHASH_REDIS_URL, or the user's own; generations that no run made are looked up where
TAXOHASH_GENERATIONS says. The key of a service, if it wants one, is that of TAXOHASH_API_KEY or TAXOHASH_API_KEY_FILE.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from services import settings
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.lineage.gather import chain, manifests_in
from services.lineage.words import facts
from taxohash.errors import TaxohashError
from taxohash.runtime.flags import Parser
from taxohash.runtime.requirements import remedy
from taxohash.runtime.terminal import printable

_MOST = 1_000  # of one answer of a service


def main(words: Sequence[str] | None = None) -> int:
    """Run the command with the words after `taxohash lineage`; 0, or 2 where nothing can be said."""
    parser = Parser(prog="taxohash lineage", description=__doc__)
    parser.add_argument("generation", help="id, as every answer has it")
    parser.add_argument(
        "--all", action="store_true", help="then of the one that it replaced, and so on to the first"
    )
    parser.add_argument("--url", help="address of a service, instead of the code store")
    parser.add_argument("--collection", default=settings.COLLECTION.of(), help="of the code store")
    parser.add_argument("--json", action="store_true", help="print it as JSON, with all that is known")
    given = parser.parse_args(words)
    try:
        found = _asked(given.generation, given.all, given.url, given.collection)
    except TaxohashError as error:
        print(f"taxohash lineage: {printable(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (text := remedy(error)) is None:
            raise
        print(f"taxohash lineage: {text}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("taxohash lineage: interrupted", file=sys.stderr)
        return 130
    if given.json:
        print(json.dumps({"lineage": found}, ensure_ascii=False))
    else:
        _print(found)
    return 0


def _asked(generation: str, to_the_first: bool, url: str | None, collection: str) -> list[dict[str, Any]]:
    if url is not None:
        from taxohash.cli.service import client_of

        with client_of(url) as client:
            found = client.lineage(generation, most=_MOST if to_the_first else 1)
        try:
            for one in found:
                dict(facts(one))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TaxohashError(
                f"{url} tells a lineage in another way: use the release that it runs"
            ) from None
        return found
    with code_store() as store:
        manifests = manifests_in(GenerationFiles.named())
        most = None if to_the_first else 1
        return [one.as_dict() for one in chain(store, collection, generation, manifests, most)]


def _print(found: Sequence[Mapping[str, Any]]) -> None:
    for number, one in enumerate(found):
        if number:
            print()
        print(printable(f"generation {one['generation']} of {one['collection']}"))
        for name, text in facts(one):
            print(printable(f"  {name:<15}{text}"))


if __name__ == "__main__":
    sys.exit(main())
