"""A server that answers what it is told to, to try a client with."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import run

GREETING = (
    b"%4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n"
    b"$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
)


@contextmanager
def false_server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """Port of a server that does `behave` with each connection; it is closed afterwards."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def serve(connection: socket.socket) -> None:
        stack.push(connection)
        with suppress(OSError), connection:
            behave(connection)

    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def answering(*replies: bytes) -> Callable[[socket.socket], None]:
    """Answers each command by the next of the replies, and the rest not at all."""

    def behave(connection: socket.socket) -> None:
        for reply in replies:
            connection.recv(1 << 16)
            connection.sendall(reply)
        while connection.recv(1 << 16):
            pass

    return behave


def echoing(connection: socket.socket) -> None:
    """Sends back what it gets."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    files = (folder / "certificate.pem", folder / "key.pem")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    run([*command.split(), *names, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def in_tls(certificate_file: Path, key: Path, unix_path: str) -> Callable[[socket.socket], None]:
    """Takes off the TLS, and passes the bytes on to a server at a unix socket and back."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key)

    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            _between(secured, unix_path, lambda data: data)

    return behave


def losing(unix_path: str, lost: Callable[[], bool]) -> Callable[[socket.socket], None]:
    """Passes the bytes on to a server at a unix socket and back; an answer that is lost ends the connection instead."""
    return lambda connection: _between(connection, unix_path, lambda data: b"" if lost() else data)


def _between(client: socket.socket, unix_path: str, answer: Callable[[bytes], bytes]) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(unix_path)
        threading.Thread(target=_pass_on, args=(client, server, lambda data: data), daemon=True).start()
        _pass_on(server, client, answer)


def _pass_on(source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while data := change(source.recv(1 << 16)):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
