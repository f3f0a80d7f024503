"""What all commands of `taxohash store` take, and how they answer."""

import getpass
import json
import os
import socket
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any

import typer

from services.settings import COLLECTION
from taxohash.runtime.terminal import printable

Collection = Annotated[str, typer.Option("--collection", envvar=COLLECTION.name, help="which collection")]
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts")]
Yes = Annotated[bool, typer.Option("--yes", help="do it; without this, it is only said what would be done")]
Why = Annotated[str, typer.Option(help="a reason, kept in the audit")]


def help_alone(asked: typer.Context) -> None:
    """Where no command is given, say which there are."""
    if asked.invoked_subcommand is None:
        print(asked.get_help())
        raise typer.Exit(2)


def who() -> str:
    """The person, for the audit."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name, as in many containers
        return f"{os.getuid()}@{socket.gethostname()}"


def print_json(value: Any) -> None:
    """A record, or a list of records, on one line."""
    print(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def only_told(plan: str) -> None:
    """What would be done, where --yes was not given."""
    print(printable(f"would {plan}: nothing was done, give --yes to do it"))
