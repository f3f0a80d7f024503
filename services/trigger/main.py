"""Start runs of the pipelines for alerts, a timer, new data and people: `taxohash trigger`.

Settings come from the environment, see docs/api.md. What starts a run, and what it waits for, says docs/trigger.md.
"""

import asyncio
import logging
import signal
import socket
import sys
from functools import partial

import uvicorn

from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.store import CodeStore
from services.trigger.access import refuse_open
from services.trigger.app import application
from services.trigger.approve import Approver
from services.trigger.connections import MOST, YieldingProtocol
from services.trigger.keeper import Keeper
from services.trigger.records import Run
from services.trigger.runs import Runs
from services.trigger.service import Service
from services.trigger.settings import Settings
from services.trigger.state import Memory
from services.trigger.tell import Teller
from services.trigger.watch import Watch
from services.web import logs
from services.web.listening import listen, url_of
from taxohash.errors import TaxohashError
from taxohash.runtime.flags import Parser
from taxohash.runtime.terminal import printable

LOG = logging.getLogger("taxohash.trigger")
_DRAIN_SECONDS = 5


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="taxohash trigger", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=3100, help="0 takes a free one (default 3100)")
    chosen = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        with listen(chosen.host, chosen.port) as listener:
            refuse_open(listener.getsockname()[0], settings.token_file)
            with code_store() as store:
                made = service(settings, store)
                logs.configure(settings.log)
                _warn(settings)
                _serve(made, listener)
    except TaxohashError as error:
        print(f"trigger: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def service(settings: Settings, store: CodeStore) -> Service:
    """The trigger that the settings describe.

    Raises:
        TaxohashError: its folder cannot be used, or what it remembers cannot be read.
    """
    memory = Memory(store.server, settings.collection)
    memory.read()
    runs = Runs(settings.folder / "runs", settings.collection, partial(words_of, settings))
    teller = Teller(settings.collection, settings.notify_url)
    name = f"{socket.gethostname()}:{settings.folder}"
    keeper = Keeper(
        settings.collection,
        memory,
        runs,
        settings.policy,
        partial(served, store, settings.collection),
        teller.tell,
        name=name,
    )
    watch = None
    if settings.source:
        watch = Watch(settings.source, settings.folder / "data.git", settings.collection, keeper.data_arrived)
    approver = Approver(settings.collection, settings.command)
    return Service(settings, keeper, watch, approver, partial(published, store, settings.collection))


def published(store: CodeStore, collection: str) -> str:
    """Id of the published generation, empty where there is none."""
    found = store.published(collection) if store.exists(collection) else None
    return found.id if found else ""


def served(store: CodeStore, collection: str) -> str | None:
    """Data version of the published generation, empty where its files cannot be read here; None: nothing is published."""
    if not (generation := published(store, collection)):
        return None
    files = GenerationFiles.named()
    try:
        return files.dataset_md5(generation) if files else ""
    except TaxohashError:
        return ""


def words_of(settings: Settings, run: Run) -> list[str]:
    """The command that makes a run."""
    drift = run.pipeline == "drift"  # of what is served, and of no data version
    words = [*settings.command, run.pipeline, *(settings.drift_options if drift else settings.options)]
    if run.pipeline == "retrain":
        words += settings.retrain_options
    if run.data and settings.source and not drift:
        revision = f"{run.data.revision}:{settings.source.tracked}"
        words += ["--repository", settings.source.repository, "--revision", revision]
    return [*words, "--collection", settings.collection, "--run", run.name, "--json"]


def _warn(settings: Settings) -> None:
    """Say what a trigger of these settings does not do."""
    if settings.token_file is None:
        LOG.warning(
            "there are no tokens: everybody on this machine may start runs, and nobody else may do anything"
        )
    if settings.source is None:
        LOG.warning(
            "no repository is watched: no run waits for newer data, and TAXOHASH_TRIGGER_OPTIONS says what the data are"
        )


def _serve(service: Service, listener: socket.socket) -> None:
    config = uvicorn.Config(
        application(service), http=YieldingProtocol, log_config=None, access_log=False, server_header=False, proxy_headers=False,
        ws="none", lifespan="on", limit_concurrency=MOST + 1, timeout_graceful_shutdown=_DRAIN_SECONDS,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    # The server takes these signals itself, and sends them again when it has ended: by then they have been heeded.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    print(f"trigger {url_of(listener)}", flush=True)
    asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    sys.exit(main())
