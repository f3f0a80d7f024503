"""`taxohash keys`: make, list, remove and check the API keys of a service."""

import fcntl
import getpass
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from services import settings
from services.retrieval.access import keys
from services.retrieval.access.keys import Key
from services.retrieval.access.roles import ROLES, Role
from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from taxohash.runtime.atomic import writable, write_text
from taxohash.runtime.terminal import printable

app = typer.Typer(
    name="keys",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_DAY = 86_400
_MODE = 0o600

File = Annotated[
    Path | None,
    typer.Option("--file", help=f"file of keys; by default the one that {settings.API_KEYS_FILE.name} names"),
]


@app.callback(invoke_without_command=True)
def describe(asked: typer.Context) -> None:
    """API keys: who may search, write or administer a service.

    A running service looks at its file of keys every second. The file holds digests, never a key.
    """
    if asked.invoked_subcommand is None:
        print(asked.get_help())
        raise typer.Exit(2)


@app.command("add")
def add(
    name: Annotated[
        str, typer.Argument(help="who will use it: letters, digits, dots, dashes; it stands in the log")
    ],
    role: Annotated[str, typer.Option(help="search, write (which may search too) or admin")] = "search",
    days: Annotated[int, typer.Option(help="until it expires; 0: never")] = 365,
    rate: Annotated[
        float | None, typer.Option(help="requests a second, in each process; any number by default")
    ] = None,
    burst: Annotated[int | None, typer.Option(help="requests at once; those of a second by default")] = None,
    file: File = None,
) -> None:
    """Make a key, and print it: this is the only time that it is seen."""
    if days < 0 or days > 36_500:
        raise TaxohashError(f"--days {days}: give days until the key expires, at most 36500, or 0 for never")
    if burst is not None and rate is None:
        raise TaxohashError(f"--burst {burst} without a rate bounds nothing: give --rate too")
    secret, now = keys.new_secret(), time.time()
    with _changing(_path(file)) as found:
        if any(key.name == name for key in found):
            raise TaxohashError(f"key {name} is there: choose another name, or remove it first")
        if len(found) >= keys.MOST_KEYS:
            raise TaxohashError(f"there are {len(found)} keys, as many as a file holds: remove some")
        found.append(
            Key(
                name=_name(name),
                role=_role(role),
                digest=keys.digest_of(secret),
                created=keys.utc(now),
                expires=keys.utc(now + days * _DAY) if days else None,
                rate=rate,
                burst=burst or (max(1, math.ceil(rate)) if rate and rate < keys.MOST_AT_ONCE else 1),
            )
        )
    print(secret)


@app.command("list")
def list_keys(
    file: File = None, as_json: Annotated[bool, typer.Option("--json", help="JSON for scripts")] = False
) -> None:
    """What keys there are; never a key itself."""
    found = keys.load(_path(file))
    if as_json:
        rows = [{name: value for name, value in asdict(key).items() if name != "digest"} for key in found]
        terminal.console().print_json(data=rows)
        return
    header = ("name", "role", "created", "expires", "a second", "at once")
    table = [
        (key.name, key.role, _day(key.created), _day(key.expires) if key.expires else "never", *_bounds(key))
        for key in found
    ]
    terminal.console().print(terminal.table(header, table, right=2))


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="of the key")], file: File = None) -> None:
    """Let a key be worth nothing, from the next second on."""
    with _changing(_path(file)) as found:
        kept = [key for key in found if key.name != name]
        if len(kept) == len(found):
            raise TaxohashError(f"key {name!r} is not there: see `taxohash keys list`")
        found[:] = kept
    print(printable(f"key {name} is removed; {len(kept)} left"))


@app.command("check")
def check(file: File = None) -> None:
    """Read a key from standard input, and say what it may do; exit code 1 where it is not in force."""
    found = keys.load(_path(file))
    typed = getpass.getpass("key: ") if sys.stdin.isatty() else sys.stdin.readline(1_000)
    digest = keys.digest_of(typed.strip())
    key = next((key for key in found if key.digest == digest), None)
    if key is None:
        print("this key is not in the file")
        raise typer.Exit(1)
    print(f"key {key.name}: {key.role}, {_expiry(key)}")
    if _expired(key):
        raise typer.Exit(1)


def main(words: Sequence[str]) -> int:
    """Run one command; the words after `taxohash keys`."""
    code = app(args=list(words), prog_name="taxohash keys", standalone_mode=False)
    return int(code or 0)


def _path(file: Path | None) -> Path:
    named = file or settings.API_KEYS_FILE.of()
    if not named:
        raise TaxohashError(f"no file of keys is named: give --file, or set {settings.API_KEYS_FILE.name}")
    return Path(named).resolve()  # of a link, what it points to is replaced


@contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """The keys of a file, to be changed; written when the block ends well. Nobody else changes them meanwhile."""
    folder = os.open(writable(path.parent), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        found = list(keys.load(path)) if path.exists() else []
        yield found
        write_text(path, keys.text_of(tuple(found)), _MODE)
    finally:
        os.close(folder)


def _name(text: str) -> str:
    if not keys.is_name(text):
        raise TaxohashError(
            f"name {text!r} is none for a key: give at most 40 letters, digits, dots, dashes and underscores"
        )
    return text


def _role(text: str) -> Role:
    for role in ROLES:
        if text == role:
            return role
    raise TaxohashError(f"--role {text!r} is not known: give one of {', '.join(ROLES)}")


def _day(time: str) -> str:
    return time.partition("T")[0]


def _bounds(key: Key) -> tuple[str, str]:
    return (f"{key.rate:g}", str(key.burst)) if key.rate else ("any", "any")


def _expired(key: Key) -> bool:
    return keys.unix(key.expires) <= time.time()


def _expiry(key: Key) -> str:
    if key.expires is None:
        return "never expires"
    return f"{'expired' if _expired(key) else 'expires'} {key.expires}"
