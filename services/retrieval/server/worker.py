"""The process that serves: `python -m services.retrieval.server.worker --listen FD --beat FD [--app MODULE:FUNCTION]`.

Started by the supervisor, in the folder of the sources that are to be served. Exit code 0: told to end, and drained;
2: something it was told cannot be, which standard error says in one line; anything else: it failed.
"""

import argparse
import asyncio
import importlib
import logging
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from starlette.types import ASGIApp

from services.retrieval.server.heart import beat, tell_when_ready
from services.retrieval.server.serving import Server
from services.retrieval.settings import Door
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable

APPLICATION = "services.retrieval.app:create"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True, help="descriptor of the listening socket")
    parser.add_argument("--beat", type=int, required=True, help="descriptor of the pipe to the supervisor")
    parser.add_argument("--app", default=APPLICATION, help="function that makes the ASGI application")
    chosen = parser.parse_args(arguments)
    for descriptor in (chosen.listen, chosen.beat):
        os.set_inheritable(descriptor, False)  # not for the processes that the application starts
    os.set_blocking(chosen.beat, False)
    try:
        app, door = made(chosen.app), Door.from_environment()
        if not logging.getLogger().hasHandlers():
            logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        with socket.socket(fileno=chosen.listen) as listener, asyncio.Runner() as runner:
            runner.run(_serve(app, door, listener, chosen.beat))
            _end(0)
    except TaxohashError as error:
        print(f"serve: {printable(error)}", file=sys.stderr)
        return 2


def made(name: str) -> ASGIApp:
    """The application that a function of this name makes.

    Raises:
        TaxohashError: there is none, or as it does.
    """
    module, _, function = name.partition(":")
    try:
        make: Any = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise TaxohashError(f"application {name!r} is not there ({error}): build the Bento anew") from None
    app: ASGIApp = make()
    return app


async def _serve(app: ASGIApp, door: Door, listener: socket.socket, pipe: int) -> None:
    server = Server(app, door, getattr(app, "generation", lambda: ""))  # an older Bento's has none
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.end)
    loop.add_signal_handler(signal.SIGINT, server.end)
    telling: list[asyncio.Task[None]] = []

    def started() -> None:
        telling.append(asyncio.create_task(beat(pipe, server.end)))
        telling.append(asyncio.create_task(tell_when_ready(pipe, app)))

    await server.serve(listener, started)
    for task in telling:
        task.cancel()


def _end(status: int) -> NoReturn:
    """End now: a thread that waits for a store is not waited for."""
    logging.shutdown()  # its last lines are still with the thread that writes them
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
