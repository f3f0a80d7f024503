"""Who may do what on the server: the accounts of its ACL file, each with the least rights.

`python -m services.codestore.accounts FOLDER --address redis://codestore:6379/0` (or redis://:6379/0, whose host is told apart, by
TAXOHASH_CODESTORE) writes into FOLDER, readable by its owner alone, `users.acl` for the server, which holds no password, and of each account the password and the address with it.
A password is taken from TAXOHASH_READER_PASSWORD (WRITER, ADMIN, EXPORTER, CLUSTER), else from FOLDER/reader.password, else made.
"""

import hashlib
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from services import settings
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import write_text
from taxohash.runtime.flags import Parser
from taxohash.runtime.terminal import printable

ACL_FILE = "users.acl"
PROBE = "probe"

_RANDOM_BYTES = 24

# What a client sends before and between calls. As a category, since servers differ in what they know of it:
# a Redis 7.0 would refuse a file that names WAITAOF or CLIENT SETINFO.
_CONNECTION = (
    "+@connection -@admin -@dangerous +info +cluster|info +cluster|nodes +cluster|shards +cluster|slots"
)


@dataclass(frozen=True)
class Account:
    """One user of the server.

    A server function may do what the account that calls it may do: each of its commands is checked, keys included.

    Attributes:
        name: of the user.
        keys: patterns of keys, `%R~` to read only and `~` to write too. A segment is taxohash:{NAME:NUMBER},
            a collection taxohash:{NAME}; no name has a colon.
        commands: all that it may call, by itself or in a function.
        channels: to which it may listen and speak.
    """

    name: str
    keys: tuple[str, ...]
    commands: tuple[str, ...]
    channels: tuple[str, ...] = ("&taxohash:*",)

    def line(self, digest: str) -> str:
        """Its line of the ACL file, for a password whose sha256 is `digest`, in hexadecimal."""
        commands = (f"+{command}" for command in self.commands)
        rights = ("resetchannels", *self.channels, *self.keys, "-@all", _CONNECTION, *commands)
        return f"user {self.name} on #{digest} {' '.join(rights)}"


# Loads and follows, and holds a lease on what it has loaded.
READER = Account(
    "reader",
    keys=("%R~taxohash:{*", "~taxohash:{*}:leases"),
    commands=(
        *("fcall_ro", "hexists", "hget", "hlen", "hmget", "hscan", "time", "xlen", "xrange", "xrevrange"),
        *("subscribe", "unsubscribe"),
        *("zadd", "zcard", "zrange", "zrangebyscore", "zrem", "zscore"),
    ),
)
# Besides writes items and codes, and backfills. What is published is kept in the collection's own keys, which it can only read.
WRITER = Account(
    "writer",
    keys=(*READER.keys, "~taxohash:{*:*}*", "~taxohash:{*}:backfill", "~taxohash:{*}:quarantine:*"),
    commands=(
        *READER.commands,
        *("fcall", "function|list", "function|load"),
        *("hdel", "hincrby", "hset", "publish", "xadd", "xtrim"),
    ),
)
# By which the upgrade of a store of layout 3 reads it.
_LAYOUT_3 = (
    *("bitcount", "exists", "get", "getrange", "hgetall", "lindex"),
    *("lrange", "sismember", "smembers", "strlen", "type"),
)
# Besides makes collections (where an older one lay, its keys are unlinked), publishes, goes back, and frees memory: by EVAL
# where the functions are lost and there is no memory to load them.
ADMIN = Account(
    "admin",
    keys=("~taxohash:*",),
    commands=(
        *WRITER.commands,
        *("config|get", "eval", "memory|usage", "unlink", "zremrangebyscore"),
        *_LAYOUT_3,
    ),
)
# Tells how the server is, and sees no data: not the slow log either, as that has arguments of commands.
EXPORTER = Account(
    "exporter", keys=(), commands=("latency|histogram", "latency|latest", "slowlog|len"), channels=()
)
# Brings the servers of a cluster together, and gives slots to those that nobody has.
CLUSTER = Account("cluster", keys=(), commands=("cluster|addslotsrange", "cluster|meet"), channels=())
ACCOUNTS = (READER, WRITER, ADMIN, EXPORTER, CLUSTER)
_PASSWORDS = {
    READER.name: settings.READER_PASSWORD,
    WRITER.name: settings.WRITER_PASSWORD,
    ADMIN.name: settings.ADMIN_PASSWORD,
    EXPORTER.name: settings.EXPORTER_PASSWORD,
    CLUSTER.name: settings.CLUSTER_PASSWORD,
}


def acl(digests: Mapping[str, str]) -> str:
    """Text of the server's ACL file.

    Nobody is the default user; yet it has every right, as some servers check the rights of the default user when they
    read their append-only file, and leave out what it may not do (Redis 7.0 and 8.2, Valkey 8.1: valkey-io/valkey#3983).
    `probe` needs no password: all it may do is ask whether the server answers.

    Args:
        digests: of each account's name, the sha256 of its password in hexadecimal.
    """
    return "\n".join(
        [
            "user default off ~* &* +@all",
            f"user {PROBE} on nopass resetchannels -@all +ping",
            *(account.line(digests[account.name]) for account in ACCOUNTS),
            "",
        ]
    )


def address_of(account: str, password: str, address: str) -> str:
    """The store's address for an account.

    Raises:
        TaxohashError: it is no address, or names a user already.
    """
    scheme, _, place = address.partition("://")
    if "@" in address and not place.startswith("/"):  # before it is printed
        raise TaxohashError(
            "the address names a user or password: give it without, each account gets its own"
        )
    if scheme not in ("redis", "rediss", "unix") or not place:
        raise TaxohashError(
            f"{printable(address)!r} is no store address: give one such as redis://codestore:6379/0"
        )
    return f"{scheme}://{account}:{quote(password, safe='')}@{place}"


def write_accounts(folder: Path, address: str, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Write the ACL file, and of each account the password and the address with it.

    Args:
        folder: where; only its owner may read the files. Passwords that lie there are kept.
        address: of the store, without user and password.
        environment: TAXOHASH_READER_PASSWORD and so on are taken before those in the folder.

    Returns:
        The files written.

    Raises:
        TaxohashError: a password that is none, no address, or a folder that cannot be written.
    """
    passwords = {account.name: _password(account.name, folder, environment) for account in ACCOUNTS}
    digests = {name: hashlib.sha256(password.encode()).hexdigest() for name, password in passwords.items()}
    texts = {ACL_FILE: acl(digests)}
    for name, password in passwords.items():
        texts[f"{name}.password"] = password
        texts[f"{name}.url"] = address_of(name, password, address)
    for file, text in texts.items():
        write_text(folder / file, text, mode=0o600)
    return [folder / file for file in texts]


def _password(account: str, folder: Path, environment: Mapping[str, str]) -> str:
    variable, file = _PASSWORDS[account].name, folder / f"{account}.password"
    try:
        if variable in environment:
            place, password = variable, environment[variable]
        elif file.exists():
            place, password = str(file), file.read_text(encoding="utf-8").rstrip("\n")
        else:
            return secrets.token_hex(_RANDOM_BYTES)
        password.encode()
    except OSError as error:
        raise TaxohashError(
            f"{file} cannot be read ({error.strerror}): make it readable or remove it"
        ) from None
    except UnicodeError:
        raise TaxohashError(f"the password of {account} is not UTF-8: give another") from None
    if not password or not password.isprintable():
        raise TaxohashError(f"{place} is no password: give one line of text, or none to have one made")
    return password


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="accounts", description=__doc__)
    parser.add_argument("folder", type=Path, help="where users.acl, passwords and addresses are written")
    parser.add_argument("--address", required=True, help="of the store, such as redis://codestore:6379/0")
    chosen = parser.parse_args(arguments)
    try:
        written = write_accounts(chosen.folder, chosen.address)
    except TaxohashError as error:
        print(f"accounts: {printable(error)}", file=sys.stderr)
        return 2
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
