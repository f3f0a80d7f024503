"""The address of a store: redis://, rediss:// or unix://, read by rules of our own that never show a secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, unquote_to_bytes

from taxohash.errors import TaxohashError

_PORT = 6379
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile")
_OPTIONS = ("client_name", "db", "password", "username", *_TLS_OPTIONS)
_FORMS = "redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix://[user:password@]/path[?db=0]"

_HOST = re.compile(r"\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:/?#\[\]@%]+)")
_AN_OPTION = re.compile(rf"[?&](?:{'|'.join(_OPTIONS)})=")


@dataclass(frozen=True)
class Address:
    """Where a server is and how to greet it; `str` of it shows neither user nor password.

    Attributes:
        path: of a unix socket; then host and port mean nothing.
        user, password: as they are sent; None where the address gives none.
        tls: by TLS, and then with the files and checks that follow.
    """

    host: str = "localhost"
    port: int = _PORT
    path: str = ""
    database: int = 0
    user: bytes | None = field(default=None, repr=False)
    password: bytes | None = field(default=None, repr=False)
    client_name: str = ""
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    check_certificate: bool = True
    check_host: bool = True

    def __str__(self) -> str:
        secret = "" if self.user is None and self.password is None else "***@"
        if self.path:
            return f"unix://{secret}{self.path}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' * self.tls}://{secret}{host}:{self.port}/{self.database}"

    def at(self, host: str, port: int) -> "Address":
        """Another server of the same cluster."""
        return replace(self, host=host, port=port, path="")


def redacted(text: str) -> str:
    """Any address, whether or not it can be read, without user and password."""
    return re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"//.*@", "//***@", text))


def parse_address(text: str) -> Address:
    """Read an address.

    User and password end at the last '@', so that only '@', '%' and what looks like an option needs an escape
    (%40, %25) in them. No part of an address that cannot be read is repeated in a message, as it may be a secret.

    Raises:
        TaxohashError: it is none, or gives an option that is not known, or a value that is none of its option.
    """
    if not isinstance(text, str):
        raise TaxohashError(f"the store address is a {type(text).__name__}, no string: give {_FORMS}")
    scheme, found, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not found or scheme not in ("redis", "rediss", "unix"):
        raise TaxohashError(f"the store address is no store address: give {_FORMS}")
    secret, at, place = ("", "", rest) if rest.startswith("/") else rest.rpartition("@")
    if _AN_OPTION.search(secret):
        raise TaxohashError("the store address has an '@' after an option: write it as %40")
    place, _, query = place.partition("?")
    options = _options(query)
    user, colon, password = secret.partition(":")
    address = _unix(place, options) if scheme == "unix" else _tcp(place, options)
    return _with_tls(
        replace(
            address,
            user=_secret("username", user if at else "", options),
            password=_secret("password", password if colon else "", options),
            client_name=options.get("client_name", ""),
        ),
        scheme == "rediss",
        options,
    )


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name not in _OPTIONS or not equals:
            known = f"option {name!r}" if equals and re.fullmatch(r"[a-z_]{1,40}", name) else "an option"
            raise TaxohashError(
                f"the store address has {known} that is not known: it can have {', '.join(_OPTIONS)}"
            )
        if name in options:
            raise TaxohashError(f"the store address gives {name} twice: give it once")
        options[name] = value if name in ("username", "password") else unquote(value)
    return options


def _secret(name: str, given: str, options: Mapping[str, str]) -> bytes | None:
    if given and name in options:
        raise TaxohashError(f"the store address gives {name} twice: give it once")
    value = given or options.get(name)
    return None if value is None or value == "" else unquote_to_bytes(value.encode("utf-8", "surrogatepass"))


def _tcp(place: str, options: Mapping[str, str]) -> Address:
    found = _HOST.match(place)
    if place and not place.startswith((":", "/")) and not (found and found[0].isprintable()):
        raise TaxohashError(f"the host of the store address cannot be read: give {_FORMS}")
    host = (found[1] or found[2]) if found else "localhost"
    port, _, database = place[found.end() if found else 0 :].partition("/")
    if port and not (re.fullmatch(r":[0-9]{1,5}", port) and 1 <= int(port[1:]) <= 65_535):
        raise TaxohashError(f"the port of the store address is no number from 1 to 65535: give {_FORMS}")
    if database and "db" in options:
        raise TaxohashError("the store address gives the database twice: give it once")
    return Address(
        host=host,
        port=int(port[1:]) if port else _PORT,
        database=_database(database or options.get("db", "")),
    )


def _unix(place: str, options: Mapping[str, str]) -> Address:
    path = unquote(place)
    if not path.startswith("/") or not path.isprintable():
        raise TaxohashError("the store address has no path of a socket: give unix:///path/to/the.sock")
    return Address(path=path, database=_database(options.get("db", "")))


def _database(text: str) -> int:
    if text and not re.fullmatch("[0-9]{1,9}", text):
        raise TaxohashError("the database (db) of the store address is no number: give 0, 1, ...")
    return int(text or 0)


def _with_tls(address: Address, tls: bool, options: Mapping[str, str]) -> Address:
    if not tls:
        if given := [name for name in _TLS_OPTIONS if name in options]:
            raise TaxohashError(f"{given[0]} is an option of rediss:// only: use that, or leave it out")
        return address
    check_certificate = _choice("ssl_cert_reqs", ("required", "none"), options)
    check_host = _choice("ssl_check_hostname", ("true", "false"), options)
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise TaxohashError("the store address gives ssl_keyfile without ssl_certfile: give both")
    return replace(
        address,
        tls=True,
        ca_file=options.get("ssl_ca_certs", ""),
        certificate_file=options.get("ssl_certfile", ""),
        key_file=options.get("ssl_keyfile", ""),
        check_certificate=check_certificate == "required",
        check_host=check_host == "true" and check_certificate == "required",
    )


def _choice(name: str, choices: tuple[str, ...], options: Mapping[str, str]) -> str:
    value = options.get(name, choices[0]).lower()
    if value not in choices:
        raise TaxohashError(f"{name} of the store address is not {' or '.join(choices)}: correct it")
    return value
