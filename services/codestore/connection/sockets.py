"""A socket to a server: by TCP, TLS or a path, until a deadline."""

import queue
import socket
import ssl
import threading

from services.codestore.connection.address import Address
from services.codestore.connection.deadline import Deadline
from services.codestore.connection.errors import LinkError, SilenceError
from taxohash.errors import TaxohashError

# A peer that vanished without a word is noticed after a minute, also where nothing is sent to it.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


def connected(address: Address, deadline: Deadline) -> socket.socket:
    """A socket that is connected, and secured by TLS where the address says so.

    Raises:
        LinkError: nobody is there, or no TLS came about.
        TaxohashError: a certificate file of the address cannot be used.
    """
    context = _context(address) if address.tls else None
    raw = _unix(address, deadline) if address.path else _tcp(address, deadline)
    if context is None:
        return raw
    try:
        raw.settimeout(_left(deadline))
        return context.wrap_socket(raw, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        raw.close()
        raise LinkError(
            f"its certificate is not trusted: {error.verify_message}",
            "give the authority that signed it as ssl_ca_certs=FILE",
        ) from None
    except (OSError, ValueError) as error:
        raw.close()
        silent = isinstance(error, TimeoutError)
        reason = "no answer in time" if silent else getattr(error, "reason", None) or type(error).__name__
        raise LinkError(f"no TLS came about: {reason}", "use redis:// if it is a plain port") from None


def _left(deadline: Deadline) -> float:
    try:
        return deadline.timeout()
    except TimeoutError:
        raise SilenceError("no connection came about in time") from None


def _unix(address: Address, deadline: Deadline) -> socket.socket:
    return _connected(socket.AF_UNIX, address.path, deadline)


def _tcp(address: Address, deadline: Deadline) -> socket.socket:
    places = _places(address.host, address.port, deadline)
    for number, (family, place) in enumerate(places):
        try:
            # One that does not answer leaves time for the others.
            found = _connected(family, place, deadline.within(_left(deadline) / (len(places) - number)))
        except LinkError:
            if number == len(places) - 1:
                raise
        else:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEP_ALIVE.items():
                if hasattr(socket, name):
                    found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            return found
    raise LinkError(f"host {address.host!r} has no address", "correct the address")


def _connected(family: int, place: str | tuple[str, int], deadline: Deadline) -> socket.socket:
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.settimeout(_left(deadline))
        found.connect(place)
    except TimeoutError:
        found.close()
        raise SilenceError("no connection came about in time") from None
    except (OSError, ValueError) as error:
        found.close()
        raise LinkError(getattr(error, "strerror", None) or str(error)) from None
    except BaseException:
        found.close()
        raise
    return found


def _places(host: str, port: int, deadline: Deadline) -> list[tuple[int, tuple[str, int]]]:
    """Families and socket addresses of a host; in a thread, as nothing else bounds a look-up of a name."""
    answers: queue.SimpleQueue[list[tuple[int, tuple[str, int]]] | None] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, place) for family, _, _, _, place in found])  # type: ignore[misc]
        except (OSError, UnicodeError):
            answers.put(None)

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [(family, place) for family, _, _, _, place in found]  # type: ignore[misc]
    except (OSError, UnicodeError):
        threading.Thread(target=look_up, daemon=True).start()
    try:
        places = answers.get(timeout=_left(deadline))
    except queue.Empty:
        raise SilenceError(f"host name {host!r} is not found in time") from None
    if places is None:
        raise LinkError(f"host name {host!r} is not known", "correct the address")
    return places


def _context(address: Address) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = address.check_host
    context.verify_mode = ssl.CERT_REQUIRED if address.check_certificate else ssl.CERT_NONE
    try:
        if address.ca_file:
            context.load_verify_locations(address.ca_file)
        else:
            context.load_default_certs()
    except (OSError, ValueError):
        raise TaxohashError(
            f"ssl_ca_certs {address.ca_file!r} of the store address cannot be used: give a PEM file of certificates"
        ) from None
    try:
        if address.certificate_file:
            # An empty password, as OpenSSL would ask for one on the terminal.
            context.load_cert_chain(address.certificate_file, address.key_file or None, password="")
    except (OSError, ValueError):
        raise TaxohashError(
            "ssl_certfile or ssl_keyfile of the store address cannot be used:"
            " give PEM files of a certificate and of its key, without a passphrase"
        ) from None
    return context
