"""Serve image search: `taxohash serve [TARGET]`.

TARGET is the folder of a generation or of a Bento, the tag of a Bento (name:version or name:latest), or the name of a collection.
Settings come from the environment, see docs/api.md. What is guarded, and what signals do, says docs/serving.md.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from services.retrieval.access import refuse_open
from services.retrieval.server import bentos
from services.retrieval.server.companion import Companion
from services.retrieval.server.store import publish_first, stores
from services.retrieval.server.supervisor import Serving, supervise
from services.retrieval.server.target import Target, target_of
from services.retrieval.settings import Settings
from services.web.listening import listen, url_of
from taxohash.errors import TaxohashError
from taxohash.generation.keys import given
from taxohash.runtime.atomic import writable
from taxohash.runtime.flags import Parser
from taxohash.runtime.sources import ROOT
from taxohash.runtime.terminal import printable

_BACKFILL = (sys.executable, "-m", "pipelines.cli.main", "backfill", "--follow")
_WORKER = (sys.executable, "-m", "services.retrieval.server.worker")


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="taxohash serve", description=__doc__)
    parser.add_argument(
        "target", nargs="?", help="folder of a generation or a Bento, tag of a Bento, or name of a collection"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=3000, help="0 takes a free one (default 3000)")
    parser.add_argument(
        "--backfill",
        action=argparse.BooleanOptionalAction,
        help="encode beside it what comes without a code (default: where the code store is the user's own)",
    )
    parser.add_argument("--bento-home", type=Path, help="where Bentos and models are kept (BENTOML_HOME)")
    chosen = parser.parse_args(arguments)
    try:
        home = writable(chosen.bento_home.resolve()) if chosen.bento_home else bentos.home()
        return _serve(target_of(chosen.target, os.environ, home), chosen.host, chosen.port, chosen.backfill)
    except TaxohashError as error:
        print(f"serve: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _serve(target: Target, host: str, port: int, backfill: bool | None) -> int:
    environment = {**os.environ, **target.variables}
    told = Settings.from_environment(environment)
    given(environment)  # keys that cannot be read stop the start
    listener = listen(host, port)
    with listener:
        refuse_open(listener.getsockname()[0], told)
        url = url_of(listener)
        with stores(environment) as own:
            variables = _told({**environment, **own}, target)
            if own and told.generation:
                publish_first(variables, target.sources)
            serving = Serving(_WORKER, variables, target.sources, told.door.drain_seconds)
            beside = (
                _backfill({**environment, **own}) if (bool(own) if backfill is None else backfill) else None
            )
            return supervise(serving, listener, lambda: print(f"serving {url}", flush=True), beside)


def _backfill(environment: Mapping[str, str]) -> Companion | None:
    """The backfill of the collection that is served; None where pipelines are not installed."""
    if importlib.util.find_spec("pipelines") is None:
        return None
    return Companion(_BACKFILL, environment, ROOT)


def _told(environment: Mapping[str, str], target: Target) -> dict[str, str]:
    """The environment of the worker: it imports from the sources that are served, whatever else is installed."""
    paths = [str(target.sources), environment.get("PYTHONPATH", "")]
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


if __name__ == "__main__":
    sys.exit(main())
